// Starts the page: the taxonomy, the two views, and the key that a server may ask for.

import { setKey } from "./api.js";
import { startChatView } from "./chat-view.js";
import { startCorrections } from "./corrections.js";
import { startDialogueView } from "./dialogue-view.js";
import { announce, byId, h } from "./dom.js";
import { loadTaxonomy, mark, shortName, taxonomy } from "./skills.js";

const VIEWS = ["dialogue", "chat"];

function showView() {
  const wanted = location.hash.slice(1);
  if (wanted && !VIEWS.includes(wanted)) return; // a link within the page
  const name = wanted || VIEWS[0];
  for (const view of VIEWS) {
    byId(`view-${view}`).hidden = view !== name;
    const link = document.querySelector(`nav a[data-view="${view}"]`);
    if (view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function showLegend() {
  const items = taxonomy().map((category, lane) =>
    h(
      `li.lane-${lane}`,
      {},
      mark(lane),
      h("strong", {}, shortName(category.name)),
      h("p", {}, category.skills.map((skill) => skill.name).join(", ")),
    ),
  );
  byId("legend").replaceChildren(...items);
}

function takeKey() {
  const form = byId("key-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(byId("key").value.trim());
    form.hidden = true;
    byId("dialogue-error").textContent = byId("chat-error").textContent = "";
    announce("The key is set. Try again.");
    byId("main").focus();
  });
}

async function start() {
  try {
    await loadTaxonomy();
  } catch {
    byId("dialogue-error").textContent = "The server can't be reached. Is `thanos serve` still running?";
    return;
  }
  showLegend();
  startCorrections();
  startDialogueView();
  startChatView();
  takeKey();
  addEventListener("hashchange", showView);
  showView();
}

start();
