// A conversation: its turns, and what is known of the thought before each of them.
//
// Position k is the thought of whoever speaks turn k (from 0), so it follows turns 0 to k-1. There is none before the
// first turn, and the one at `turns.length` belongs to a turn that nobody has spoken yet.

import { isSkill, taxonomy, categoryOf } from "./skills.js";
import { textOf, turnFrom } from "./reader.js";

const ANSWERS = { User: "Assistant", Assistant: "User" };

/**
 * @param {{context: string, turns: object[]}} dialogue
 * @param {object|null} row the JSON object that it came from
 */
export function conversationFrom(dialogue, row = null) {
  const response = row && readResponse(row);
  const turns = response ? [...dialogue.turns, response] : [...dialogue.turns];
  return {
    context: dialogue.context,
    turns,
    row,
    /** Position of the thought that the row itself is about: before its response. */
    own: dialogue.turns.length,
    /** The last position to ask the model about. */
    last: dialogue.turns.length,
    predictions: [],
    corrections: new Map(),
    /** Speaker -> the name to show in place of theirs. */
    names: {},
    /** Whose turns stand on the right; by default the second speaker's. */
    onTheRight: null,
  };
}

function readResponse(row) {
  if (row.response === undefined || row.response === null) return null;
  try {
    return turnFrom(row.response, "response");
  } catch {
    return null; // a row without a readable response is still a dialogue
  }
}

/** The label that the row came with, or null. */
export function fileLabel(conversation, position) {
  const { row, own } = conversation;
  if (!row || position !== own || typeof row.skill !== "string" || !row.skill.trim()) return null;
  return { skill: canonical(row.skill), explanation: typeof row.explanation === "string" ? row.explanation : "" };
}

/** What counts at a position: the person's correction, else the file's label, else the model's prediction. */
export function thoughtAt(conversation, position) {
  const correction = conversation.corrections.get(position);
  if (correction) return { ...correction, origin: "you" };
  const label = fileLabel(conversation, position);
  if (label) return { ...label, origin: "file" };
  const prediction = conversation.predictions[position];
  return prediction ? { ...prediction, origin: "model" } : null;
}

/** "active listening." -> "Active Listening"; a label that is no skill stays as it is. */
function canonical(label) {
  if (isSkill(label)) return label;
  const letters = (text) => text.toLowerCase().replace(/[^a-z]/g, "");
  const all = taxonomy().flatMap((category) => category.skills.map((skill) => skill.name));
  return all.find((name) => letters(name) === letters(label)) ?? label;
}

export function speakers(conversation) {
  return [...new Set(conversation.turns.map((turn) => turn.speaker))];
}

/** Who speaks at a position; the same rule as the library's for a turn that isn't there yet. */
export function speakerAt(conversation, position) {
  const { turns, row } = conversation;
  if (turns[position]) return turns[position].speaker;
  if (typeof row?.speaker === "string" && row.speaker.trim()) return row.speaker.trim();
  const last = turns[position - 1].speaker;
  const other = turns.slice(0, position).reverse().find((turn) => turn.speaker !== last);
  return other?.speaker ?? ANSWERS[last] ?? "Next speaker";
}

/** The name to show for a speaker. */
export function shownName(conversation, speaker) {
  return conversation.names[speaker] ?? speaker;
}

/** A corrected thought as a row of a dataset; what else the row of a file held is kept. */
export function correctedRow(conversation, position, { skill, explanation }) {
  const { row, own, turns, context } = conversation;
  if (row && position === own) {
    const category = "category" in row ? { category: categoryOf(skill) } : {};
    return { ...row, skill, explanation, ...category };
  }
  const [source, id] = turnId(conversation, position);
  return {
    id,
    source,
    social_context: context,
    dialogue: turns.slice(0, position),
    speaker: speakerAt(conversation, position),
    response: turns[position] ?? null,
    skill,
    explanation,
  };
}

/** `<source>:<dialogue>:<position>`, as in the project's datasets. */
function turnId({ row, context, turns }, position) {
  const own = row?.id === undefined || row.id === null ? "" : textOf(row.id);
  const source = typeof row?.source === "string" && row.source ? row.source : own.includes(":") ? own.split(":")[0] : "page";
  const dialogue = own ? own.replace(/:\d+$/, "") : fingerprint(context + JSON.stringify(turns.slice(0, 1)));
  return [source, dialogue.startsWith(`${source}:`) ? `${dialogue}:${position}` : `${source}:${dialogue}:${position}`];
}

/** Eight hexadecimal digits that are the same for the same text (FNV-1a). */
function fingerprint(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
