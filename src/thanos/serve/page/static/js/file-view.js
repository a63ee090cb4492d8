// A file of dialogues, walked through row by row.

import { nameDownloads } from "./corrections.js";
import { announce, byId, h, plural } from "./dom.js";
import { conversationFrom, fileLabel } from "./model.js";
import { readRows } from "./reader.js";

const SHOWN_ERRORS = 20;

/**
 * @param {(conversation: object) => void} show puts a row on the stage
 * @param {() => void} clear empties the stage
 */
export function startFile(show, clear) {
  let rows = [];
  let index = 0;

  const go = (to) => {
    index = Math.min(Math.max(to, 0), rows.length - 1);
    const entry = rows[index];
    // Kept once made, so that thoughts and corrections are still there when the person comes back.
    entry.conversation ??= conversationFrom(entry.dialogue, entry.row);
    byId("row-number").value = index + 1;
    byId("previous").disabled = index === 0;
    byId("next").disabled = index === rows.length - 1;
    show(entry.conversation);
    const label = fileLabel(entry.conversation, entry.conversation.own);
    announce(`Row ${index + 1} of ${rows.length}: ${plural(entry.conversation.turns.length, "turn")}${label ? `, labelled ${label.skill}` : ""}.`);
  };

  const open = (name, read) => {
    const bad = read.filter((row) => row.error);
    rows = read.filter((row) => row.dialogue);
    if (!rows.length) {
      byId("dialogue-error").textContent = `${name}: ${[bad[0].where, bad[0].error].filter(Boolean).join(": ")}`;
      return;
    }
    nameDownloads(name);
    byId("write").hidden = true;
    byId("file-card").hidden = false;
    byId("file-name").textContent = name;
    byId("file-count").textContent = plural(rows.length, "row");
    byId("row-number").max = rows.length;
    showBad(bad);
    go(0);
    byId("file-name").focus();
  };

  const close = () => {
    rows = [];
    byId("write").hidden = false;
    byId("file-card").hidden = true;
    clear();
  };

  const read = async (file) => {
    if (!file) return;
    byId("dialogue-error").textContent = "";
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      byId("dialogue-error").textContent = `${file.name} can't be read as UTF-8 text; save it as UTF-8.`;
      return;
    }
    open(file.name, readRows(text));
  };

  byId("previous").addEventListener("click", () => go(index - 1));
  byId("next").addEventListener("click", () => go(index + 1));
  byId("row-number").addEventListener("change", (event) => go((Number(event.target.value) || 1) - 1));
  byId("close-file").addEventListener("click", () => {
    close();
    byId("context").focus();
  });
  byId("file").addEventListener("change", (event) => {
    read(event.target.files[0]);
    event.target.value = ""; // the same file may be chosen again
  });
  takeDrops(read);
  return { open, close };
}

function showBad(bad) {
  const box = byId("bad-rows");
  box.hidden = !bad.length;
  box.querySelector("summary").textContent = `${plural(bad.length, "row")} can't be read`;
  const items = bad.slice(0, SHOWN_ERRORS).map((row) => h("li", {}, `${row.where}: ${row.error}`));
  if (bad.length > SHOWN_ERRORS) items.push(h("li", {}, `and ${bad.length - SHOWN_ERRORS} more`));
  box.querySelector("ul").replaceChildren(...items);
}

function takeDrops(read) {
  const dropping = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    dropping(true);
  });
  addEventListener("dragleave", () => dropping(false));
  addEventListener("drop", (event) => {
    dropping(false);
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    location.hash = "#dialogue";
    read(event.dataTransfer.files[0]);
  });
}
