// All labels that were corrected since the page was opened, and their download.

import { announce, byId, h, plural } from "./dom.js";
import { correctedRow } from "./model.js";

const conversations = new Set();
let saved = true;
let name = "thanos";

export function setCorrection(conversation, position, correction) {
  conversation.corrections.set(position, correction);
  conversations.add(conversation);
  saved = false;
  show();
}

export function removeCorrection(conversation, position) {
  conversation.corrections.delete(position);
  show();
}

/** The name that downloads begin with: that of the open file. */
export function nameDownloads(fileName) {
  name = fileName.replace(/\.(jsonl|json|ndjson|txt)$/i, "");
}

export function correctedRows() {
  return [...conversations].flatMap((conversation) =>
    [...conversation.corrections].map(([position, correction]) => correctedRow(conversation, position, correction)),
  );
}

function show() {
  const count = correctedRows().length;
  byId("corrections").hidden = count === 0;
  byId("corrections-count").textContent = plural(count, "corrected row");
}

function download() {
  const rows = correctedRows();
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  h("a", { href: url, download: `${name}.corrected.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  saved = true;
  announce(`${plural(rows.length, "corrected row")} downloaded.`);
}

export function startCorrections() {
  byId("download").addEventListener("click", download);
  addEventListener("beforeunload", (event) => {
    if (!saved && correctedRows().length) event.preventDefault();
  });
}
