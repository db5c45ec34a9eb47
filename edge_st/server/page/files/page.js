// Puts the page together: models first, then what can be done with them.

import { ask, hasKey, setKey } from "./api.js";
import { offerComparing, startComparing } from "./compare.js";
import { busy, failed, find } from "./elements.js";
import { watch } from "./live.js";
import { embedders, rerankers, showModels, showStates } from "./models.js";
import { offerSearch, startSearch } from "./search.js";

const status = find("status");
let listed = false;

function showStatus(kind, text) {
  if (status.dataset.kind === kind) return;
  status.dataset.kind = kind;
  status.textContent = text;
}

/** Show the models; true where asking again may help, or is not needed. */
async function loadModels() {
  if (!listed) find("models-state").replaceChildren(busy("Asking the server…"));
  try {
    const { data } = await ask("v1/models");
    listed = true;
    showModels(data);
    offerComparing(embedders(data));
    offerSearch(embedders(data), rerankers(data));
    showKey(false);
    return true;
  } catch (error) {
    find("models-state").replaceChildren(failed(error.message));
    return refused(error);
  }
}

/** Show the field for the key where it is needed; without a key there is nothing else to see. */
function showKey(needed) {
  find("key-panel").hidden = !needed;
  find("key-forget").hidden = needed || !hasKey();
  document.body.classList.toggle("keyless", needed);
  document.body.classList.toggle("locked", !listed);
  if (needed) find("key").focus();
}

/** Show why there is no answer; true where one may come without the user's help. */
function refused(error) {
  if (error.status === 401) {
    listed = false;
    showStatus("key", "Key needed");
    showKey(true);
    find("key-said").textContent = hasKey() ? "The server does not know this key." : "This server asks for a key.";
    return false;
  }
  showStatus("away", error.status === 0 ? "No answer" : "Not ready");
  return true;
}

function startKey(again) {
  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(find("key").value.trim());
    find("key").value = "";
    again();
  });
  find("key-forget").addEventListener("click", () => {
    setKey("");
    listed = false;
    again();
  });
}

async function start() {
  find("host").textContent = location.host;
  document.title = `edge-st · ${location.host}`;
  startComparing();
  startSearch();
  const poll = watch(async (stats) => {
    showStatus("ready", "Ready");
    if (!listed || showStates(stats.models)) await loadModels();
  }, refused);
  const begin = async () => {
    if (await loadModels()) await poll();
  };
  startKey(begin);
  await begin();
}

start();
