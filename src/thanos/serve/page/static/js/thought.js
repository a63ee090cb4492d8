// The thought before a turn: explanation, skill, probabilities, and the form that corrects it.

import { correctionForm } from "./correct.js";
import { removeCorrection } from "./corrections.js";
import { announce, h, percent } from "./dom.js";
import { fileLabel, shownName, speakerAt, thoughtAt } from "./model.js";
import { chip, isSkill, laneOf, mark } from "./skills.js";

const SHOWN = 5;
const ORIGINS = { file: "label from the file", you: "corrected by you" };

/**
 * @param {() => void} changed called after the thought was corrected
 * @returns {HTMLElement|string} empty where nothing is known
 */
export function thoughtCard(conversation, position, changed) {
  const thought = thoughtAt(conversation, position);
  if (!thought && !(conversation.row && position === conversation.own)) return "";
  const name = shownName(conversation, speakerAt(conversation, position));
  const lane = laneOf(thought?.skill);
  const card = h(
    `article.thought.${lane === null ? "no-lane" : `lane-${lane}`}`,
    { "aria-label": `What ${name} has in mind` },
    h("div.mind", {}, h("p.thinker", {}, name, " thinks", origin(thought)), ...words(thought), modelsView(conversation, position, thought)),
    bars(conversation.predictions[position], thought),
  );
  card.append(footer(card, conversation, position, thought, changed));
  return card;
}

function origin(thought) {
  const text = ORIGINS[thought?.origin];
  return text ? h("span.origin", {}, text) : null;
}

function words(thought) {
  if (!thought) return [h("p.explanation.missing", {}, "Nobody has labelled this turn yet.")];
  if (thought.error) return [h("p.explanation.missing", {}, `No thought came out: ${thought.error}`)];
  const said = thought.explanation || thought.raw || "";
  return [label(thought.skill), said ? h("p.explanation", {}, said) : null];
}

function label(skill) {
  if (!skill) return h("p.explanation.missing", {}, "No skill of the 39 came out.");
  return isSkill(skill) ? chip(skill) : h("p.explanation.missing", {}, `“${skill}” is not one of the 39 skills.`);
}

/** What the model thinks where a label stands in its place. */
function modelsView(conversation, position, thought) {
  const prediction = conversation.predictions[position];
  if (!prediction?.skill || !thought || thought.origin === "model") return null;
  const agrees = prediction.skill === thought.skill;
  return h(
    "details.model-view",
    {},
    h("summary", {}, agrees ? "The model says the same" : `The model says ${prediction.skill}`),
    h("p.explanation", {}, prediction.explanation || "It gives no explanation."),
  );
}

/** The most probable skills, and the one that stands in the thought if it isn't among them. */
function bars(prediction, thought) {
  if (!prediction || prediction.error) return null;
  const scores = Object.entries(prediction.scores ?? {}).sort((a, b) => b[1] - a[1]);
  if (!scores.length) return h("div.scores", {}, h("p.hint", {}, "This model gives no probabilities."));
  const shown = scores.slice(0, SHOWN);
  const own = scores.findIndex(([skill]) => skill === thought.skill);
  if (own >= SHOWN) shown.push(scores[own]);
  const items = shown.map(([skill, p]) => bar(skill, p, skill === thought.skill));
  return h("div.scores", {}, h("p.hint", {}, "Most probable skills"), h("ol", { role: "list" }, ...items));
}

function bar(skill, p, chosen) {
  const fill = h("span.fill");
  fill.style.setProperty("--share", p);
  return h(
    `li.bar.lane-${laneOf(skill)}${chosen ? ".chosen" : ""}`,
    {},
    h("span.bar-name", {}, mark(laneOf(skill)), skill, chosen && h("span.visually-hidden", {}, " (chosen)")),
    h("span.track", { "aria-hidden": "true" }, fill),
    h("span.bar-share", {}, percent(p)),
  );
}

function footer(card, conversation, position, thought, changed) {
  const row = h("div.card-actions");
  const open = () => {
    const form = correctionForm(conversation, position, (done) => {
      form.remove();
      row.hidden = false;
      if (done) changed();
      else edit.focus();
    });
    row.hidden = true;
    card.append(form);
    form.querySelector("select").focus();
  };
  const edit = h("button.small.quiet.edit", { type: "button", onclick: open }, thought?.skill ? "Correct" : "Add a label");
  row.append(edit);
  if (conversation.corrections.has(position)) {
    const undo = () => {
      removeCorrection(conversation, position);
      announce("Correction taken back.");
      changed();
    };
    row.append(h("button.small.quiet", { type: "button", onclick: undo }, "Undo"));
    const before = fileLabel(conversation, position) ?? conversation.predictions[position];
    if (before?.skill) row.append(h("span.hint", {}, `was ${before.skill}`));
  }
  return row;
}
