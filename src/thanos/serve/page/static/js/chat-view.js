// A chat in which the assistant plans a skill before each reply.

import { reply } from "./api.js";
import { unplanned } from "./compare.js";
import { showConversation } from "./conversation.js";
import { look } from "./dialogue-view.js";
import { announce, byId } from "./dom.js";
import { conversationFrom } from "./model.js";
import { runner, showProblem } from "./work.js";

let conversation = null;
let shown = null;

function begin() {
  conversation = conversationFrom({ context: "", turns: [] });
  conversation.names = { User: "You" };
  conversation.onTheRight = "User";
  conversation.last = -1; // nobody's thoughts are shown before they have a turn
  shown = null;
  byId("chat-stage").replaceChildren();
  byId("chat-empty").hidden = false;
  byId("chat-look").disabled = byId("chat-new").disabled = true;
  byId("chat-error").textContent = "";
}

async function send(signal) {
  const box = byId("message");
  const text = box.value.trim();
  if (!text) return;
  byId("chat-error").textContent = "";
  byId("chat-empty").hidden = true;
  conversation.context = byId("chat-context").value.trim();
  conversation.turns.push({ speaker: "User", text });
  const messages = messagesOf(conversation);
  const answer = { speaker: "Assistant", text: "" };
  conversation.turns.push(answer);
  box.value = "";
  draw();
  try {
    await write(answer, messages, signal);
    announce(`Assistant: ${answer.text}`);
  } catch (error) {
    if (!answer.text) takeBack(text);
    showProblem(byId("chat-error"), error);
  } finally {
    byId("chat-look").disabled = byId("chat-new").disabled = !conversation.turns.length;
  }
}

async function write(answer, messages, signal) {
  const index = conversation.turns.length - 1;
  for await (const part of reply(messages, true, signal)) {
    if (part.plan) showPlan(index, part.plan);
    if (part.text) {
      answer.text += part.text;
      shown.say(index, answer.text);
      byId("composer").scrollIntoView({ block: "nearest" });
    }
  }
}

function showPlan(index, plan) {
  if (plan.planned) {
    conversation.predictions[index] = plan;
    shown.draw();
    announce(`Assistant has ${plan.skill} in mind.`);
  } else {
    shown.turn(index).prepend(unplanned(plan));
  }
}

/** A reply that never began leaves no trace: the message is in the box again, to be sent once more. */
function takeBack(text) {
  conversation.turns.splice(-2);
  conversation.predictions.length = Math.min(conversation.predictions.length, conversation.turns.length);
  byId("message").value = text;
  if (conversation.turns.length) draw();
  else begin();
}

function draw() {
  shown = showConversation(byId("chat-stage"), conversation);
  byId("composer").scrollIntoView({ block: "end" });
}

function messagesOf({ context, turns }) {
  const said = turns.map(({ speaker, text }) => ({ role: speaker === "User" ? "user" : "assistant", content: text }));
  return context ? [{ role: "system", content: context }, ...said] : said;
}

export function startChatView() {
  begin();
  const sending = runner(byId("send"), send);
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    sending.toggle();
  });
  byId("message").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!byId("send").hasAttribute("aria-busy")) byId("composer").requestSubmit();
  });
  byId("chat-new").addEventListener("click", () => {
    sending.stop();
    begin();
    byId("message").focus();
  });
  byId("chat-look").addEventListener("click", () => {
    location.hash = "#dialogue";
    look(conversation.context, conversation.turns);
  });
}
