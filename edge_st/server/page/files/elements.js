// Elements, numbers and states that the parts of the page share. Texts are only ever set as text.

/** An element with properties and children; a property of the form `data-…`, `aria-…` or `role` is an attribute. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (/^(data-|aria-|role$|for$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const find = (id) => document.getElementById(id);

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });

export const count = (number) => whole.format(number);
export const brief = (number) => short.format(number);
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Milliseconds in the unit that reads best. */
export function duration(milliseconds) {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(0)} s`;
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

/** A bar as wide as a share from 0 to 1 of its place. */
export function bar(share) {
  const fill = make("span", { className: "bar-fill" });
  fill.style.setProperty("--share", Math.min(1, Math.max(0, share)).toFixed(4));
  return make("span", { className: "bar", "aria-hidden": "true" }, fill);
}

export const empty = (...children) => make("p", { className: "empty" }, ...children);
export const busy = (text) => make("p", { className: "busy" }, make("span", { className: "spinner" }), text);
export const failed = (text) =>
  make("p", { className: "failed", role: "alert" }, make("strong", {}, "That did not work. "), text);

/** A notice where texts were cut, or null. */
export function cutNotice(number, noun) {
  if (!number) return null;
  const were = number === 1 ? "was" : "were";
  const text = `${counted(number, noun)} ${were} longer than the model reads, and ${were} cut.`;
  return make("p", { className: "notice" }, text);
}

/** Fill a list of models to choose from; the user's choice stays where it is still there. */
export function fillChoice(select, models, none) {
  const before = select.value;
  const options = models.map((each) => make("option", { value: each.id }, each.id));
  if (none !== undefined) options.push(make("option", { value: "" }, none));
  select.replaceChildren(...options);
  if (select.dataset.chosen && options.some((each) => each.value === before)) select.value = before;
  else if (none !== undefined && !models[0]?.class) select.value = "";
  select.onchange = () => (select.dataset.chosen = "true");
}

/** Run `work` when a form is sent, also by Ctrl+Enter in its texts; never twice at once. */
export function onSend(form, work) {
  const button = form.querySelector("button[type=submit]");
  let running = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running || button.disabled) return;
    running = true;
    button.setAttribute("aria-disabled", "true");
    try {
      await work();
    } finally {
      running = false;
      button.removeAttribute("aria-disabled");
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit(button);
  });
}
