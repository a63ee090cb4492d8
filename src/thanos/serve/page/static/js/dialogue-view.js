// A dialogue that is typed, pasted or read from a file, with its thoughts.

import { thoughtsAfterEveryTurn } from "./api.js";
import { comparePanel } from "./compare.js";
import { showConversation } from "./conversation.js";
import { nameDownloads } from "./corrections.js";
import { announce, byId, plural } from "./dom.js";
import { examples } from "./examples.js";
import { startFile } from "./file-view.js";
import { conversationFrom } from "./model.js";
import { readRows } from "./reader.js";
import { runner, showProblem } from "./work.js";

let view = null; // what is on the stage
let file = null;
let runners = [];
let example = 0;

function openConversation(conversation) {
  byId("dialogue-error").textContent = "";
  byId("welcome").hidden = true;
  byId("dialogue-stage").hidden = false;
  const shown = showConversation(byId("dialogue-stage"), conversation, (position) => comparePanel(conversation, position));
  view = { conversation, shown };
}

/** Write a conversation into the form, as when it comes from the chat, and show its thoughts. */
export async function look(context, turns) {
  file.close();
  byId("context").value = context;
  byId("words").value = turns.map((turn) => `${turn.speaker}: ${turn.text.split(/\s+/).join(" ")}`).join("\n");
  await runners[0].begin();
}

async function think(signal) {
  const { conversation, shown } = view;
  const problem = byId("dialogue-error");
  problem.textContent = "";
  const waiting = `Thinking about ${plural(conversation.last, "turn")}.`;
  shown.busy(waiting);
  announce(waiting);
  try {
    const asked = conversation.turns.slice(0, conversation.last);
    const results = await thoughtsAfterEveryTurn(conversation.context, asked, signal);
    conversation.predictions = [undefined, ...results];
    shown.draw();
    announce(`${plural(results.length, "thought")} shown.`);
    bringIntoView();
  } catch (error) {
    showProblem(problem, error);
  } finally {
    shown.busy("");
  }
}

/** On a phone the stage is below the form. */
function bringIntoView() {
  const stage = byId("dialogue-stage");
  if (stage.getBoundingClientRect().top > innerHeight * 0.6) stage.scrollIntoView({ block: "start" });
}

async function thinkAboutWords(signal) {
  const words = byId("words");
  const rows = readRows(words.value);
  const good = rows.filter((row) => row.dialogue);
  const bad = rows.find((row) => row.error);
  words.toggleAttribute("aria-invalid", !good.length);
  if (!good.length) {
    byId("dialogue-error").textContent = [bad.where, bad.error].filter(Boolean).join(": ");
    words.focus();
    return;
  }
  if (rows.length > 1) {
    file.open("Pasted rows", rows);
    return;
  }
  const [{ dialogue, row }] = good;
  dialogue.context ||= byId("context").value.trim();
  nameDownloads("thanos");
  openConversation(conversationFrom(dialogue, row));
  await think(signal);
}

function tryExample() {
  const { context, words } = examples[example % examples.length];
  example += 1;
  byId("context").value = context;
  byId("words").value = words;
  announce("An example is in the form.");
}

export function startDialogueView() {
  const write = runner(byId("think"), thinkAboutWords);
  const row = runner(byId("think-row"), think);
  runners = [write, row];
  byId("write").addEventListener("submit", (event) => {
    event.preventDefault();
    write.toggle();
  });
  byId("words").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("write").requestSubmit();
  });
  byId("example").addEventListener("click", tryExample);
  const stop = () => runners.forEach((one) => one.stop());
  file = startFile(
    (conversation) => {
      stop();
      openConversation(conversation);
    },
    () => {
      stop();
      byId("dialogue-stage").hidden = true;
      byId("welcome").hidden = false;
    },
  );
}
