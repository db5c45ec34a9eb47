// Runs before anything is drawn, so that a chosen theme does not flash.
"use strict";

const THEME = "edge-st-theme";

function applyTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function keptTheme() {
  try {
    return localStorage.getItem(THEME) ?? "system";
  } catch {
    return "system"; // storage may be forbidden
  }
}

applyTheme(keptTheme());

document.addEventListener("DOMContentLoaded", () => {
  const choices = document.querySelectorAll("input[name=theme]");
  for (const choice of choices) {
    choice.checked = choice.value === keptTheme();
    choice.addEventListener("change", () => {
      applyTheme(choice.value);
      try {
        localStorage.setItem(THEME, choice.value);
      } catch {
        // it holds until the page is closed
      }
    });
  }
});
