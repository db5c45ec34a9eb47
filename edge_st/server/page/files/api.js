// Calls of the server, and its errors in words.

const KEY = "edge-st-key";
let key = read();

function read() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

export const hasKey = () => key !== "";

/** Keep the key until the tab is closed; an empty one forgets it. */
export function setKey(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // it holds until the page is left
  }
}

/** The address of a route, also where the server is mounted below a path. */
export const address = (path) => new URL(path, document.baseURI).href;

/** What went wrong, as a sentence; `status` is 0 where there was no answer. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The answer to a GET, or to a POST where there is a body; throws ServerError. */
export async function ask(path, body) {
  const headers = { Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(address(path), {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ServerError("The server does not answer. It may have been stopped, or it is starting again.", 0);
  }
  const text = await response.text();
  if (!response.ok) throw new ServerError(words(response, parsed(text)), response.status);
  const answer = parsed(text);
  if (answer === undefined) throw new ServerError(`The answer of ${path} is not JSON.`, response.status);
  return answer;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function words(response, body) {
  const said = body?.error?.message ?? body?.error ?? body?.message ?? body?.detail;
  const wait = Number(response.headers.get("Retry-After"));
  const again = wait > 0 ? ` Try again in ${wait} s.` : "";
  if (typeof said === "string" && said) return sentence(said) + again;
  const known = {
    401: "The server asks for a key.",
    413: "The texts are too large for one request.",
    429: "The server is busy.",
    503: "The server is starting or stopping.",
  };
  return (known[response.status] ?? `The server answered ${response.status} ${response.statusText}`.trim() + ".") + again;
}

function sentence(said) {
  const text = said.trim().replaceAll("`", "");
  const first = /^[a-z]+ /.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Embeddings (Float32Array, of length 1) of texts, the tokens that were read, and how many texts were cut. */
export async function embed(model, input, kind) {
  const body = { model, input, encoding_format: "base64", ...(kind ? { input_type: kind } : {}) };
  const answer = await ask("v1/embeddings", body);
  return {
    vectors: answer.data.map((each) => decoded(each.embedding)),
    tokens: answer.usage?.total_tokens ?? 0,
    cut: answer.truncated ?? [],
  };
}

function decoded(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** The places of documents with their relevance to the query from 0 to 1, best first. */
export async function rerank(model, query, documents) {
  const answer = await ask("v1/rerank", { model, query, documents });
  return {
    ranked: answer.results.map((each) => ({ place: each.index, score: each.relevance_score })),
    cut: answer.truncated ?? [],
  };
}

/** The cosine of two vectors of length 1. */
export function dot(first, second) {
  let sum = 0;
  for (let place = 0; place < first.length; place++) sum += first[place] * second[place];
  return sum;
}
