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

async function loadModels() {
  find("models-state").replaceChildren(busy("Asking the server…"));
  try {
    const { data } = await ask("v1/models");
    listed = true;
    showModels(data);
    offerComparing(embedders(data));
    offerSearch(embedders(data), rerankers(data));
    showKey(false);
  } catch (error) {
    listed = false;
    refused(error);
    find("models-state").replaceChildren(failed(error.message));
  }
  document.body.classList.toggle("locked", !listed);
}

/** Show the field for the key where it is needed, or was needed before. */
function showKey(needed) {
  find("key-panel").hidden = !needed && !hasKey();
  find("key-panel").dataset.needed = String(needed);
  find("key-forget").hidden = needed || !hasKey();
  find("key-field").hidden = !needed;
}

function refused(error) {
  if (error.status === 401) {
    showStatus("key", "Key needed");
    showKey(true);
    find("key-said").textContent = hasKey() ? "The server does not know this key." : "This server asks for a key.";
  } else if (error.status === 0) showStatus("away", "No answer");
  else showStatus("away", "Not ready");
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
  let poll = () => {};
  startKey(async () => {
    await loadModels();
    poll();
  });
  await loadModels();
  poll = watch(
    async (stats) => {
      showStatus("ready", "Ready");
      if (!listed) await loadModels();
      showStates(stats.models);
    },
    refused,
  );
}

start();
