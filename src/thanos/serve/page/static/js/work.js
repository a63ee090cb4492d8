// Work that takes a while: one at a time, and it can be stopped.

import { ApiError } from "./api.js";
import { announce, byId } from "./dom.js";

/**
 * Make a button start some work, and stop it while it runs.
 * @param {HTMLButtonElement} button
 * @param {(signal: AbortSignal) => Promise<void>} work
 * @returns {{toggle: () => Promise<void>, stop: () => void}} toggle starts or stops, for a form that is submitted
 */
export function runner(button, work) {
  const words = button.textContent;
  let running = null;

  const toggle = async () => {
    if (running) {
      running.abort();
      return;
    }
    const mine = new AbortController();
    running = mine;
    button.textContent = "Stop";
    button.setAttribute("aria-busy", "true");
    try {
      await work(mine.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      announce("Stopped.");
    } finally {
      running = null;
      button.textContent = words;
      button.removeAttribute("aria-busy");
    }
  };
  if (button.type === "button") button.addEventListener("click", toggle);
  return { toggle, stop: () => running?.abort() };
}

/** Say what went wrong, where the person is looking; ask for a key if that's what is missing. */
export function showProblem(place, error) {
  if (error.name === "AbortError") throw error;
  if (!(error instanceof ApiError)) {
    place.textContent = "Something on this page went wrong; the browser's console says more.";
    throw error;
  }
  place.textContent = error.message;
  if (error.status === 401 || error.status === 403) {
    byId("key-form").hidden = false;
    byId("key").focus();
  }
}
