// The server's two roads: skills-of-mind for a dialogue, and chat replies as they are written.

const KEY = "thanos-api-key";
let key = recall();
let model = null;

/** What went wrong, in words for the person in front of the page. */
export class ApiError extends Error {
  /** @param {number} status HTTP status; 0 where no answer came */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The key is kept as long as the tab is open. */
export function setKey(value) {
  key = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // storage is switched off: the key lasts until the page is left
  }
}

function recall() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/**
 * The skill-of-mind after every turn.
 * @returns {Promise<object[]>} item i is what the next speaker thinks after the first i + 1 turns
 */
export async function thoughtsAfterEveryTurn(context, turns, signal) {
  const response = await call("v1/skill-of-mind", { social_context: context, turns, trace: true }, signal);
  const answer = await response.json();
  if (!Array.isArray(answer.results) || answer.results.length !== turns.length) {
    throw new ApiError(response.status, "The server's answer doesn't have one thought for each turn.");
  }
  return answer.results;
}

/**
 * A chat reply, piece by piece.
 * @param {boolean} plan whether the reply is planned with skill-of-mind
 * @yields {{plan?: object, text?: string}} the plan comes first, if the server sends one
 */
export async function* reply(messages, plan, signal) {
  const body = { model: await modelName(signal), messages, stream: true, thanos: { plan } };
  const response = await call("v1/chat/completions", body, signal);
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(response.status, `The reply was cut off: ${chunk.error.message ?? "no reason given"}`);
    if (chunk.thanos) yield { plan: chunk.thanos };
    const text = chunk.choices?.[0]?.delta?.content;
    if (text) yield { text };
  }
  throw new ApiError(response.status, "The reply was cut off: the server closed the connection.");
}

/** The name of the first model that the server offers; some upstreams have one model and no list. */
async function modelName(signal) {
  if (model === null) {
    try {
      const list = await (await call("v1/models", null, signal)).json();
      model = list.data?.[0]?.id ?? "default";
    } catch (error) {
      if (error.status !== 404) throw error;
      model = "default";
    }
  }
  return model;
}

async function call(path, body, signal) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const request = body === null ? {} : { method: "POST", body: JSON.stringify(body) };
  if (body !== null) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { ...request, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached. Is `thanos serve` still running?");
  }
  if (!response.ok) throw new ApiError(response.status, await explain(response));
  return response;
}

/** Words for a refusal: our own for what a person can mend here, else the server's. */
async function explain(response) {
  const said = await reason(response);
  switch (response.status) {
    case 401:
    case 403:
      return key ? "The server doesn't know this API key. Enter another one above." : "The server asks for an API key. Enter it above.";
    case 413:
      return `This is too long for the server${said && `: ${said}`}. Shorten the dialogue or send fewer turns.`;
    case 429: {
      const seconds = Number(response.headers.get("Retry-After"));
      const wait = seconds > 0 ? `in ${Math.ceil(seconds)} s` : "in a moment";
      return `The server is busy. Try again ${wait}.`;
    }
    default:
      return said ? `The server says: ${said}` : `The server answered with status ${response.status}.`;
  }
}

async function reason(response) {
  try {
    const body = await response.json();
    const found = body.error?.message ?? body.detail ?? "";
    return typeof found === "string" ? found : JSON.stringify(found);
  } catch {
    return "";
  }
}

/** The data of server-sent events, which may come in any pieces. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await readOn(reader);
    if (done) return;
    rest += value;
    const lines = rest.split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
  }
}

async function readOn(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The reply was cut off: the connection to the server broke.");
  }
}
