// What the server does now: the queue, latency and rate, every two seconds while the page is seen.

import { ask } from "./api.js";
import { brief, count, counted, duration, find } from "./elements.js";

const EVERY = 2000;
const KEPT = 60;
const history = { queue: [], latency: [], rate: [] };
let timer = 0;
let asking = false;
let begun = false;

/**
 * Returns what asks at once and then again and again; `onAnswer` gets the statistics. `onError` gets what went wrong,
 * and says whether to go on.
 */
export function watch(onAnswer, onError) {
  const poll = async () => {
    begun = true;
    clearTimeout(timer);
    if (document.hidden || asking) return;
    asking = true;
    let goOn = true;
    try {
      const stats = await ask("stats");
      show(stats);
      await onAnswer(stats);
    } catch (error) {
      clear();
      goOn = onError(error);
    } finally {
      asking = false;
      if (goOn && !document.hidden) timer = setTimeout(poll, EVERY);
    }
  };
  document.addEventListener("visibilitychange", () => begun && poll());
  return poll;
}

function show(stats) {
  const { texts, tokens } = stats.queue;
  const { p50, p99 } = stats.latency_ms;
  put("queue", count(texts), texts ? counted(tokens, "token") : "nothing waits");
  put("latency", p50 === null ? "–" : duration(p50), p99 === null ? "no requests yet" : `p99 ${duration(p99)}`);
  put("rate", brief(stats.texts_per_second), counted(stats.requests, "request"));
  keep("queue", texts);
  keep("latency", p50 ?? 0);
  keep("rate", stats.texts_per_second);
}

function clear() {
  for (const name of Object.keys(history)) put(name, "–", "");
}

function put(name, value, detail) {
  find(`${name}-value`).textContent = value;
  find(`${name}-detail`).textContent = detail || "\u00a0";
}

function keep(name, value) {
  const values = history[name];
  values.push(value);
  if (values.length > KEPT) values.shift();
  const top = Math.max(...values, 1e-9);
  const points = values.map((each, place) => {
    const x = ((KEPT - values.length + place) / (KEPT - 1)) * 120;
    return `${x.toFixed(1)},${(27 - (each / top) * 25).toFixed(1)}`;
  });
  find(`${name}-line`).setAttribute("points", values.length > 1 ? points.join(" ") : "");
}
