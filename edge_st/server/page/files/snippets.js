// The same requests as commands and programs, with the texts of the page.

import { address, hasKey } from "./api.js";
import { find } from "./elements.js";

const MOST_PASSAGES = 20;
const literal = (value) => JSON.stringify(value); // a string of JSON is one of Python, too
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`; // for POSIX shells

function curl(path, body) {
  const lines = [`curl -s ${quoted(address(path))}`, `-H 'Content-Type: application/json'`];
  if (hasKey()) lines.push(`-H "Authorization: Bearer $KEY"`);
  lines.push(`-d ${quoted(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}

function client() {
  const base = address("v1");
  return hasKey()
    ? `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=${literal(base)}, api_key=os.environ["KEY"])`
    : `from openai import OpenAI\n\nclient = OpenAI(base_url=${literal(base)}, api_key="none")`;
}

/** The comparison of two texts, as curl and as Python. */
export function comparing(model, texts) {
  const python = `${client()}
answer = client.embeddings.create(
    model=${literal(model)},
    input=[
        ${literal(texts[0])},
        ${literal(texts[1])},
    ],
)
first, second = (each.embedding for each in answer.data)
print(sum(a * b for a, b in zip(first, second)))`;
  return { curl: curl("v1/embeddings", { model, input: texts }), python };
}

/** A search, reranked where there is a `reranker`; either of the models may be "". */
export function searching(model, reranker, query, passages) {
  const some = passages.slice(0, MOST_PASSAGES);
  const commands = [];
  if (model) {
    commands.push(curl("v1/embeddings", { model, input: some, input_type: "document" }));
    commands.push(curl("v1/embeddings", { model, input: query, input_type: "query" }));
  }
  if (reranker) commands.push(curl("v1/rerank", { model: reranker, query, documents: some }));
  const python = [
    ...(model ? [client()] : [hasKey() ? "import os" : ""]),
    `passages = [\n${some.map((each) => `    ${literal(each)},\n`).join("")}]\nquery = ${literal(query)}`,
    model ? ranking(model) : "",
    reranker ? reranking(reranker) : "",
  ];
  return {
    curl: commands.join("\n\n"),
    python: python.filter(Boolean).join("\n"),
    note: passages.length > some.length ? `With the first ${some.length} of ${passages.length} passages.` : "",
  };
}

function ranking(model) {
  return `

def embed(texts, kind):
    answer = client.embeddings.create(model=${literal(model)}, input=texts, extra_body={"input_type": kind})
    return [each.embedding for each in answer.data]


documents, [wanted] = embed(passages, "document"), embed([query], "query")
scores = [sum(a * b for a, b in zip(wanted, each)) for each in documents]
for score, passage in sorted(zip(scores, passages), reverse=True):
    print(f"{score:.3f}  {passage}")`;
}

function reranking(reranker) {
  const headers = hasKey() ? `\n    headers={"Authorization": "Bearer " + os.environ["KEY"]},` : "";
  return `
import httpx

answer = httpx.post(
    ${literal(address("v1/rerank"))},
    json={"model": ${literal(reranker)}, "query": query, "documents": passages},${headers}
    timeout=60,
).raise_for_status()
for each in answer.json()["results"]:
    print(f"{each['relevance_score']:.3f}  {passages[each['index']]}")`;
}

/** Show in the box `id` what `make` gives, in the language that is chosen there; returns what shows it anew. */
export function snippetBox(id, make) {
  const box = find(id);
  const [shown, note, copy] = ["code", ".snippet-note", ".copy"].map((each) => box.querySelector(each));
  const show = () => {
    const found = make();
    shown.textContent = found[box.querySelector("input:checked").value];
    note.textContent = [found.note, hasKey() ? "KEY is an environment variable." : ""].filter(Boolean).join(" ");
  };
  for (const choice of box.querySelectorAll("input")) choice.addEventListener("change", show);
  copy.addEventListener("click", () => copyText(copy, shown.textContent));
  return show;
}

/** Put a text on the clipboard, and say so on the button and to screen readers. */
export async function copyText(button, text) {
  const before = button.dataset.label ?? button.textContent;
  button.dataset.label = before;
  const said = (await copied(text)) ? "Copied" : "Not copied";
  button.textContent = find("said").textContent = said;
  setTimeout(() => (button.textContent = before), 1500);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text); // not there without TLS, except on localhost
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    return done;
  }
}
