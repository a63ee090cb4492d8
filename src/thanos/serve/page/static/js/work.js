// Work that takes a while: one at a time, and it can be stopped.

import { ApiError } from "./api.js";
import { announce, byId } from "./dom.js";

/**
 * Make a button start some work, and stop it while it runs.
 * @param {HTMLButtonElement} button
 * @param {(signal: AbortSignal) => Promise<void>} work
 * @returns {{begin: () => Promise<void>, stop: () => void, toggle: () => void}}
 *   begin ends what is running first; toggle begins or stops, for a form that is submitted
 */
export function runner(button, work) {
  const words = button.textContent;
  let running = null;

  const begin = async () => {
    running?.abort();
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
      if (running === mine) {
        running = null;
        button.textContent = words;
        button.removeAttribute("aria-busy");
      }
    }
  };
  const stop = () => running?.abort();
  const toggle = () => (running ? stop() : begin());
  if (button.type === "button") button.addEventListener("click", toggle);
  return { begin, stop, toggle };
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
