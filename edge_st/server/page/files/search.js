// A small corpus, one passage a line: ranked by similarity, and by a reranker beside it.

import { dot, embed, rerank } from "./api.js";
import {
  bar, busy, count, counted, cutNotice, duration, empty, failed, fillChoice, find, make, onSend,
} from "./elements.js";
import { searching, snippetBox } from "./snippets.js";

const SHOWN = 10;
const PART = 64;
const CANDIDATES = 100;
const form = find("search-form");
const [model, reranker, corpus, query, result] =
  ["search-model", "search-reranker", "corpus", "query", "hits"].map(find);
const known = { model: "", vectors: new Map() };
const showSnippet = snippetBox("search-snippet", () =>
  searching(model.value, reranker.value, query.value, passages()));

const passages = () => corpus.value.split("\n").map((line) => line.trim()).filter(Boolean);

/** Let the user choose among embedding models and rerankers; one of both is enough. */
export function offerSearch(embedders, rerankers) {
  fillChoice(model, embedders);
  fillChoice(reranker, rerankers, embedders.length ? "none" : undefined);
  find("search-model-field").hidden = embedders.length === 0;
  find("search-reranker-field").hidden = rerankers.length === 0;
  form.hidden = embedders.length + rerankers.length === 0;
  find("search-none").hidden = !form.hidden;
  showSnippet();
}

export function startSearch() {
  showCount();
  form.addEventListener("input", () => {
    showCount();
    showSnippet();
  });
  onSend(form, search);
}

function showCount() {
  find("corpus-count").textContent = counted(passages().length, "passage");
}

async function search() {
  const texts = passages();
  const problem = !texts.length ? [corpus, "There are no passages: paste some, one a line."]
    : !query.value.trim() ? [query, "The query is empty."] : null;
  if (problem) {
    result.replaceChildren(failed(problem[1]));
    problem[0].focus();
    return;
  }
  result.replaceChildren(busy("Searching…"));
  try {
    await ranked(texts, query.value.trim());
  } catch (error) {
    result.replaceChildren(failed(error.message));
  }
}

async function ranked(texts, asked) {
  const start = performance.now();
  const cut = { number: 0 };
  const found = model.value ? await bySimilarity(texts, asked, cut) : null;
  const embedded = performance.now();
  const columns = [];
  if (found) columns.push(column("By similarity", model.value, found, texts, embedded - start));
  if (reranker.value) {
    const places = found ? found.slice(0, CANDIDATES).map((each) => each.place) : texts.map((_, place) => place);
    result.replaceChildren(busy(`Reranking ${counted(places.length, "passage")}…`));
    const answer = await rerank(reranker.value, asked, places.map((place) => texts[place]));
    const best = answer.ranked.map(({ place, score }) => ({ place: places[place], score, before: place }));
    const spent = performance.now() - embedded;
    columns.push(column("Reranked", reranker.value, best, texts, spent, found !== null));
    cut.number += answer.cut.length;
  }
  const notice = cutNotice(cut.number, "passage");
  result.replaceChildren(make("div", { className: "rankings" }, ...columns), ...(notice ? [notice] : []));
}

async function bySimilarity(texts, asked, cut) {
  if (known.model !== model.value) Object.assign(known, { model: model.value, vectors: new Map() });
  const { vectors } = known;
  const missing = [...new Set(texts)].filter((text) => !vectors.has(text));
  for (let start = 0; start < missing.length; start += PART) {
    const part = missing.slice(start, start + PART);
    if (start) result.replaceChildren(busy(`Embedding: ${count(start)} of ${counted(missing.length, "passage")}…`));
    const answer = await embed(known.model, part, "document");
    part.forEach((text, place) => vectors.set(text, answer.vectors[place]));
    cut.number += answer.cut.length;
  }
  const [vector] = (await embed(known.model, [asked], "query")).vectors;
  return texts
    .map((text, place) => ({ place, score: dot(vector, vectors.get(text)) }))
    .sort((first, second) => second.score - first.score);
}

function column(title, name, found, texts, milliseconds, moved = false) {
  const shown = found.slice(0, SHOWN);
  const facts = `${name} · ${duration(milliseconds)}`;
  const more = found.length > shown.length ? `The best ${shown.length} of ${counted(found.length, "passage")}.` : "";
  return make(
    "section",
    { className: "ranking", "aria-label": title },
    make("h3", {}, title, make("small", {}, facts)),
    make("ol", { className: moved ? "moved" : "" }, ...shown.map((each, rank) => hit(each, rank, texts[each.place], moved))),
    more ? make("p", { className: "facts" }, more) : null,
  );
}

function hit({ score, before }, rank, text, moved) {
  const change = moved ? before - rank : 0;
  const arrow = !change ? null : make(
    "span",
    { className: change > 0 ? "rose" : "fell", role: "img",
      "aria-label": `${change > 0 ? "up" : "down"} ${Math.abs(change)}` },
    `${change > 0 ? "↑" : "↓"}${Math.abs(change)}`,
  );
  return make(
    "li",
    {},
    make("span", { className: "hit-text", dir: "auto" }, text),
    make("span", { className: "hit-score" }, bar(score), arrow,
      make("span", { className: "score" }, score.toFixed(3).replace("-", "−"))),
  );
}
