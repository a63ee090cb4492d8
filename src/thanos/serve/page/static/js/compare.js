// What the next speaker would say, with and without skill-of-mind, side by side.

import { reply } from "./api.js";
import { announce, freshId, h } from "./dom.js";
import { speakerAt, speakers } from "./model.js";
import { chip, isSkill } from "./skills.js";
import { runner, showProblem } from "./work.js";

/** A panel for the turn at a position; it asks the server only when the person wants it. */
export function comparePanel(conversation, position) {
  const names = [...new Set([speakerAt(conversation, position), ...speakers(conversation)])];
  const whoId = freshId("who");
  const who = h("select", { id: whoId }, ...names.map((name) => h("option", { value: name }, name)));
  const start = h("button.primary", { type: "button" }, "Compare replies");
  const problem = h("div.error", { role: "alert" });
  const sides = h("div.sides");
  runner(start, async (signal) => {
    problem.textContent = "";
    const columns = [side("With skill-of-mind"), side("Without")];
    sides.replaceChildren(...columns.map((column) => column.element));
    announce("Both replies are being written.");
    const messages = messagesFor(conversation, position, who.value);
    const written = await Promise.allSettled(columns.map((column, i) => write(column, messages, i === 0, signal)));
    const failed = written.find((result) => result.status === "rejected");
    if (failed) showProblem(problem, failed.reason);
    else announce(`With skill-of-mind: ${written[0].value} Without: ${written[1].value}`);
  });
  return h(
    "section.compare",
    { "aria-label": "Compare replies" },
    h("h3", {}, `What would a chat model say ${conversation.turns[position] ? "instead" : "next"}?`),
    h("p.hint", {}, "It answers twice: told what goes on in the speaker’s mind, and told nothing."),
    h("div.compare-bar", {}, h("label", { for: whoId }, "Answer as"), who, start),
    problem,
    sides,
  );
}

function side(title) {
  const plan = h("div.plan");
  const text = h("p.said");
  return { plan, text, element: h("section.side", { "aria-label": title }, h("h4", {}, title), plan, h("div.speech", {}, text)) };
}

async function write(column, messages, planned, signal) {
  column.element.setAttribute("aria-busy", "true");
  try {
    for await (const part of reply(messages, planned, signal)) {
      if (part.plan && planned) column.plan.replaceChildren(...planWords(part.plan));
      if (part.text) column.text.append(part.text);
    }
  } finally {
    column.element.removeAttribute("aria-busy");
  }
  if (!column.text.textContent.trim()) column.text.textContent = "(an empty reply)";
  return column.text.textContent;
}

function planWords(plan) {
  if (!plan.planned) return [unplanned(plan)];
  return [isSkill(plan.skill) ? chip(plan.skill) : "", h("p.explanation", {}, plan.explanation ?? "")];
}

/** Says that, and why, a reply came without a plan. */
export function unplanned(plan) {
  return h("p.unplanned", {}, `Spoken without a plan: ${plan.reason || "no reason given"}`);
}

/** The turns so far as a chat in which the assistant is the given speaker. */
function messagesFor(conversation, position, name) {
  const turns = conversation.turns.slice(0, position);
  const others = new Set(turns.map((turn) => turn.speaker).filter((speaker) => speaker !== name));
  const said = turns.map(({ speaker, text, image }) => {
    const words = [image === undefined ? "" : `[Sharing Image] ${image}`, text].filter(Boolean).join(" ");
    if (speaker === name) return { role: "assistant", content: words };
    return { role: "user", content: others.size > 1 ? `${speaker}: ${words}` : words };
  });
  // Read by the planner too, as part of the context: so it says who is who, and nothing of the task.
  const who = `The assistant is ${name}, and speaks as ${name} would.`;
  return [{ role: "system", content: [conversation.context, who].filter(Boolean).join("\n") }, ...said];
}
