// A labelled slider with a box to type into, or the box alone. The kernel decides what is a right value.

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const WIDGET = ".widget-vbox";

function whole(part) {
  let found = null;
  for (let box = part.closest(WIDGET); box; box = box.parentElement.closest(WIDGET)) found = box;
  return found;
}

const STEPS = { ArrowUp: 1n, ArrowDown: -1n };

function render({ model, el }) {
  const id = `course-slider-${crypto.randomUUID()}`;
  const stops = () => model.get("stops");
  const range = stops() && make("input", { type: "range", min: 0, step: 1, id });
  const kind = range ? { inputmode: "decimal" } : { role: "spinbutton", id };
  const box = make("input", { type: "text", autocomplete: "off", ...kind, "aria-describedby": `${id}-hint` });
  const label = make("label", { for: id });
  const hint = make("span", { id: `${id}-hint`, class: "course-hint" });
  const error = make("span", { role: "alert", class: "course-error" });
  const parts = make("div", { class: "course-slider-parts" }, label, ...(range ? [range] : []), box, hint, error);
  el.classList.add("course-slider", ...(range ? [] : ["course-number"]));
  el.append(parts);

  const shown = () => (range ? String(model.get("value")) : model.get("shown"));
  const nearest = (value) =>
    stops().reduce((best, stop, n) => (Math.abs(stop - value) < Math.abs(stops()[best] - value) ? n : best), 0);
  let typing = false;
  let asked = 0;
  let sent = "";

  function showValue() {
    if (!typing && !asked) box.value = shown();
    if (!range) {
      box.setAttribute("aria-valuetext", shown());
      box.setAttribute("aria-valuenow", shown());
      return;
    }
    const value = model.get("value");
    if (stops()[range.value] !== value) range.value = nearest(value);
    range.setAttribute("aria-valuetext", shown());
  }

  function showRest() {
    label.textContent = model.get("label");
    box.setAttribute("aria-label", model.get("label") + (range ? ", typed" : ""));
    hint.textContent = model.get("hint");
    error.textContent = model.get("error");
    box.setAttribute("aria-invalid", String(model.get("error") !== ""));
    box.disabled = model.get("disabled");
    if (!range) return;
    range.disabled = model.get("disabled");
    range.max = stops().length - 1;
  }

  // What is typed stays until the kernel has taken or refused it.
  function submit() {
    typing = false;
    if (box.value === (asked ? sent : shown())) return;
    asked += 1;
    sent = box.value;
    model.send({ typed: sent });
  }

  function hear() {
    asked = Math.max(0, asked - 1);
    showValue();
  }

  function step(event) {
    if (range || !STEPS[event.key] || !/^\s*[+-]?\d+\s*$/.test(box.value)) return;
    event.preventDefault();
    box.value = String(BigInt(box.value.trim().replace("+", "")) + STEPS[event.key]);
    submit();
  }

  // A refusal is about the last thing done in the widget: it goes with the next.
  function forget({ target, type }) {
    if (!model.get("error") || el.contains(target) || !whole(el)?.contains(target)) return;
    if (type === "click" && !target.closest("button")) return;
    model.set("error", "");
    model.save_changes();
  }

  range?.addEventListener("input", () => {
    const value = stops()[range.value];
    el.dispatchEvent(new CustomEvent("course-ahead", { bubbles: true, detail: model.get("ahead")[String(value)] }));
    model.set("value", value);
    model.save_changes();
    showValue();
  });
  range?.addEventListener("focus", () => model.send({ reached: true }));
  box.addEventListener("input", () => (typing = true));
  box.addEventListener("change", submit);
  box.addEventListener("blur", () => {
    typing = false;
    showValue();
  });
  box.addEventListener("keydown", (event) => (event.key === "Enter" ? submit() : step(event)));
  model.on("change:label change:hint change:error change:disabled change:stops", showRest);
  model.on("change:value change:shown change:stops", showValue);
  model.on("msg:custom", hear);
  showRest();
  showValue();

  const acts = ["input", "change", "click"];
  for (const act of acts) document.addEventListener(act, forget);
  return () => acts.forEach((act) => document.removeEventListener(act, forget));
}

export default { render };
