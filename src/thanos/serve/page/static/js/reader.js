// Text -> rows. Reads every form that `thanos predict` reads, with the same words where something is wrong.

const TURNS = ["turns", "dialogue", "messages"];
const CONTEXT = ["social_context", "social_context_prompt"];
const SPEAKER = ["speaker", "role", "name"];
const TEXT = ["text", "utter", "utterance", "content"];
const IMAGE = ["image", "image_description"];
const ROLES = { user: "User", assistant: "Assistant" };
const OLD_IMAGE = /\[Sharing Image:\s*([^\]]*)\]/;
const LINE = /^\s*([^:\n]{1,60}?)\s*:\s?(.*?)\s*$/;

/**
 * Read JSONL, a JSON list or object, or plain text.
 * @returns {Array<{where: string, row?: object, dialogue?: {context: string, turns: object[]}, error?: string}>}
 *   `row` is the JSON object as it came (null for plain text); a bad row has an error and the others are read.
 */
export function readRows(text) {
  text = text.replace(/^\uFEFF/, "");
  const lines = text.split(/\r\n|\r|\n/);
  const first = lines.find((line) => line.trim()) ?? "";
  const start = first.trimStart()[0];
  if (start === "[" || (start === "{" && !looksWhole(first))) return readJson(text);
  if (start === "{") {
    return lines.flatMap((line, i) => (line.trim() ? [readLine(line, `line ${i + 1}`)] : []));
  }
  return [attempt("", null, () => dialogueFromText(text))];
}

/** False for the first line of an object that is spread over several lines. */
function looksWhole(line) {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return line.trimEnd().endsWith("}");
  }
}

function readJson(text) {
  let value;
  try {
    value = parseJson(text);
  } catch (error) {
    return [{ where: "", error: `not JSON: ${error.message}` }];
  }
  const many = Array.isArray(value);
  return (many ? value : [value]).map((row, i) => attempt(many ? `item ${i + 1}` : "", row, () => dialogueFromRow(row)));
}

function readLine(line, where) {
  let row;
  try {
    row = parseJson(line);
  } catch (error) {
    return { where, error: `not JSON: ${error.message}` };
  }
  return attempt(where, row, () => dialogueFromRow(row));
}

function attempt(where, row, read) {
  try {
    return { where, row, dialogue: read() };
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    return { where, row, error: error.message };
  }
}

/** Keep numbers that JavaScript would change (a long id, 1.0) as they were written, where the browser can. */
function parseJson(text) {
  if (!JSON.rawJSON) return JSON.parse(text);
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && String(value) !== context.source ? JSON.rawJSON(context.source) : value,
  );
}

/** A value as text; a number as it was written. */
export function textOf(value) {
  return JSON.isRawJSON?.(value) ? value.rawJSON : String(value);
}

class RowError extends Error {}

/** A JSON object of any known shape -> {context, turns: [{speaker, text, image?}]}. */
export function dialogueFromRow(row) {
  if (!isObject(row)) throw new RowError(`expected an object with turns, found ${kind(row)}`);
  const key = TURNS.find((name) => name in row);
  if (!key) {
    const found = Object.keys(row).slice(0, 6).map((name) => `'${name}'`).join(", ") || "nothing";
    throw new RowError(`no turns; found ${found}: add "turns": [{"speaker": ..., "text": ...}]`);
  }
  const contextKey = CONTEXT.find((name) => name in row);
  let context = contextKey ? (row[contextKey] ?? "") : "";
  if (typeof context !== "string") throw new RowError(`${contextKey}: expected text, found ${kind(context)}`);
  let turns;
  if (key === "messages") {
    const [system, said] = fromMessages(row.messages);
    turns = said;
    context = [context, system].filter(Boolean).join("\n");
  } else if (typeof row[key] === "string") {
    turns = turnsFromLines(row[key].split(/\r?\n/));
  } else if (Array.isArray(row[key])) {
    turns = row[key].map((item, i) => turnFrom(item, `${key}[${i}]`));
  } else {
    throw new RowError(`${key}: expected a list of turns, found ${kind(row[key])}`);
  }
  if (!turns.length) throw new RowError(`${key}: empty dialogue; give at least one turn`);
  return { context, turns };
}

/** `Name: words` lines; leading lines that begin with # are the social context. */
export function dialogueFromText(text) {
  const lines = text.split(/\r\n|\r|\n/);
  let start = lines.findIndex((line) => line.trim() && !line.trimStart().startsWith("#"));
  if (start < 0) start = lines.length;
  const context = lines.slice(0, start).map((line) => line.trim().replace(/^#+/, "").trim()).join("\n").trim();
  const turns = turnsFromLines(lines.slice(start), start);
  if (!turns.length) throw new RowError("empty dialogue; write `Name: words`, one turn a line");
  return { context, turns };
}

function turnsFromLines(lines, before = 0) {
  return lines.flatMap((line, i) => (line.trim() ? [turnFromLine(line, `line ${before + i + 1}`)] : []));
}

function turnFromLine(line, where) {
  const match = LINE.exec(line);
  if (!match?.[1].trim()) throw new RowError(`${where}: a turn without a speaker; write \`Name: words\``);
  return { speaker: oneLine(match[1]), text: match[2] };
}

/** One turn in any known spelling; `where` is for the error. */
export function turnFrom(item, where) {
  if (typeof item === "string") return turnFromLine(item, where);
  if (!isObject(item)) throw new RowError(`${where}: expected {speaker, text}, found ${kind(item)}`);
  const [speaker, given, picture] = [SPEAKER, TEXT, IMAGE].map((keys) => firstValue(item, keys));
  if (speaker === null || !textOf(speaker).trim()) {
    throw new RowError(`${where}: a turn without a speaker; add "speaker"`);
  }
  if (given === null && picture === null) throw new RowError(`${where}: a turn without text; add "text"`);
  for (const [name, value] of [["text", given], ["image", picture]]) {
    if (value !== null && typeof value !== "string") {
      throw new RowError(`${where}.${name}: expected text, found ${kind(value)}`);
    }
  }
  const shared = picture === null ? OLD_IMAGE.exec(given) : null;
  const image = shared ? shared[1].trim() : picture;
  const text = shared ? given.replace(OLD_IMAGE, "").trim() : (given ?? "");
  const turn = { speaker: oneLine(textOf(speaker)), text };
  return image === null ? turn : { ...turn, image };
}

function fromMessages(messages) {
  if (!Array.isArray(messages)) throw new RowError(`messages: expected a list, found ${kind(messages)}`);
  const system = [];
  const turns = [];
  messages.forEach((message, i) => {
    const where = `messages[${i}]`;
    if (!isObject(message) || typeof message.role !== "string") {
      throw new RowError(`${where}: a message without a role; add "role"`);
    }
    const { role } = message;
    const [text, image] = contentOf(message.content ?? "", where);
    if (role === "system" || role === "developer") system.push(text);
    else if (role in ROLES) {
      const turn = { speaker: oneLine(textOf(message.name || ROLES[role])), text };
      if (text || image) turns.push(image ? { ...turn, image } : turn);
    } else if (role !== "tool" && role !== "function") {
      throw new RowError(`${where}: unknown role '${role}'; use system, user, assistant or tool`);
    }
  });
  return [system.join("\n"), turns];
}

/** A message's text, and a note of a picture in it. */
function contentOf(content, where) {
  if (typeof content === "string") return [content, null];
  if (!Array.isArray(content)) {
    throw new RowError(`${where}.content: expected text or a list of parts, found ${kind(content)}`);
  }
  const parts = content.map((part) => (isObject(part) ? part : { type: "text", text: textOf(part) }));
  const type = (part) => String(part.type ?? "text");
  const text = parts.filter((part) => type(part).includes("text")).map((part) => textOf(part.text ?? "")).join(" ");
  return [text, parts.some((part) => type(part).includes("image")) ? "a picture" : null];
}

function firstValue(item, keys) {
  const key = keys.find((name) => item[name] !== undefined && item[name] !== null);
  return key === undefined ? null : item[key];
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON?.(value);
}

function kind(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  return { string: "text", boolean: "a boolean" }[typeof value] ?? "a number";
}

function oneLine(text) {
  return text.trim().split(/\s+/).join(" ");
}
