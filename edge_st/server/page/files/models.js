// The table of the models that are served.

import { count, empty, find, make } from "./elements.js";
import { copyText } from "./snippets.js";

const KINDS = {
  SentenceTransformer: "Embeddings",
  CrossEncoder: "Reranker",
  SparseEncoder: "Sparse embeddings",
};
const NONE = "–";

// What a model is may be known only once it is loaded; until then it is offered for both.
export const embedders = (models) => ofClass(models, "SentenceTransformer");
export const rerankers = (models) => ofClass(models, "CrossEncoder").filter((each) => !(each.labels > 1));
const ofClass = (models, name) =>
  [...models.filter((each) => each.class === name), ...models.filter((each) => !each.class)];

/** Show the models, as /v1/models lists them. */
export function showModels(models) {
  const table = find("models-table");
  table.hidden = models.length === 0;
  find("models-state").replaceChildren(...(models.length ? [] : [empty("No model is served.")]));
  table.tBodies[0].replaceChildren(...models.map(row));
}

function row(model) {
  const aliases = model.aliases?.length ? make("small", {}, `also ${model.aliases.join(", ")}`) : null;
  const element = make(
    "tr",
    { role: "row", "data-model": model.id },
    make("th", { role: "rowheader", scope: "row" }, make("span", { className: "name" }, model.id), aliases),
    cell("Kind", KINDS[model.class] ?? (model.class || NONE)),
    cell("Dimension", number(model.dimension), "figure"),
    cell("Tokens", limit(model), "figure"),
    cell("Runs on", [model.engine, model.dtype].filter(Boolean).join(" · ") || NONE),
    fingerprint(model.fingerprint),
    make("td", { role: "cell", "data-label": "State" }, make("span", { className: "state" })),
  );
  showState(element, model.loaded);
  return element;
}

const number = (value) => (typeof value === "number" ? count(value) : NONE);
const limit = (model) =>
  model.max_input_length === null && model.loaded ? "no limit" : number(model.max_input_length);
const cell = (label, text, className = "") => make("td", { role: "cell", "data-label": label, className }, text);

function fingerprint(value) {
  const label = { role: "cell", "data-label": "Fingerprint" };
  if (!value) return make("td", label, NONE);
  const short = value.slice(0, 10);
  const button = make(
    "button",
    { type: "button", className: "fingerprint", title: value, "aria-label": `${short}: copy the fingerprint` },
    short,
  );
  button.addEventListener("click", () => copyText(button, value));
  return make("td", label, button);
}

/**
 * Show which models are loaded and what waits for them, as /stats tells; true where one was loaded or unloaded, so that
 * more or less is known of it.
 */
export function showStates(states) {
  let changed = false;
  for (const [name, { loaded, queue }] of Object.entries(states ?? {})) {
    const element = document.querySelector(`tr[data-model="${CSS.escape(name)}"]`);
    if (!element) continue;
    changed ||= element.querySelector(".state").dataset.loaded !== String(loaded);
    showState(element, loaded, queue?.texts);
  }
  return changed;
}

function showState(element, loaded, waiting = 0) {
  const state = element.querySelector(".state");
  state.dataset.loaded = String(Boolean(loaded));
  const text = loaded ? "Loaded" : "At first use";
  state.textContent = waiting ? `${text}, ${count(waiting)} waiting` : text;
}
