// Two texts, and how near to each other a model places them.

import { dot, embed } from "./api.js";
import { bar, busy, counted, cutNotice, duration, empty, failed, fillChoice, find, make, onSend } from "./elements.js";
import { comparing, snippetBox } from "./snippets.js";

const form = find("compare-form");
const [model, first, second, result] = ["compare-model", "first", "second", "similarity"].map(find);
const showSnippet = snippetBox("compare-snippet", () => comparing(model.value, [first.value, second.value]));

/** Let the user choose among embedding models. */
export function offerComparing(names) {
  fillChoice(model, names);
  form.hidden = names.length === 0;
  find("compare-none").hidden = names.length > 0;
  showSnippet();
}

export function startComparing() {
  form.addEventListener("input", () => {
    showSnippet();
    result.replaceChildren(empty("Compare to see how near these texts are to each other."));
  });
  onSend(form, compare);
}

async function compare() {
  const texts = [first.value, second.value];
  const missing = texts.findIndex((text) => !text.trim());
  if (missing >= 0) {
    result.replaceChildren(failed(`The ${["first", "second"][missing]} text is empty.`));
    [first, second][missing].focus();
    return;
  }
  result.replaceChildren(busy("Embedding both texts…"));
  try {
    const start = performance.now();
    const { vectors, tokens, cut } = await embed(model.value, texts);
    show(dot(vectors[0], vectors[1]), vectors[0].length, tokens, performance.now() - start, cut);
  } catch (error) {
    result.replaceChildren(failed(error.message));
  }
}

function show(cosine, dimension, tokens, milliseconds, cut) {
  const facts = `${counted(dimension, "dimension")} · ${counted(tokens, "token")} · ${duration(milliseconds)}`;
  result.replaceChildren(
    make(
      "p",
      { className: "cosine" },
      make("span", { className: "cosine-label" }, "Cosine similarity"),
      " ",
      make("span", { className: "cosine-value", id: "cosine" }, cosine.toFixed(3).replace("-", "−")),
    ),
    make(
      "div",
      { className: "scale", "aria-hidden": "true" },
      bar(cosine),
      make("span", { className: "scale-ends" }, make("span", {}, "0"), make("span", {}, "1 · same direction")),
    ),
    make("p", { className: "facts" }, facts),
    ...[cutNotice(cut.length, "text")].filter(Boolean),
  );
}
