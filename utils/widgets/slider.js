// A labelled slider with a box to type into, or the box alone. The kernel decides what is a right value.

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const id = `course-slider-${crypto.randomUUID()}`;
  const stops = () => model.get("stops");
  const range = stops() && make("input", { type: "range", min: 0, step: 1, id });
  const kind = range ? { type: "text", inputmode: "decimal" } : { type: "number", step: 1, id };
  const box = make("input", { ...kind, "aria-describedby": `${id}-hint` });
  const label = make("label", { for: id });
  const hint = make("span", { id: `${id}-hint`, class: "course-hint" });
  const error = make("span", { role: "alert", class: "course-error" });
  el.classList.add("course-slider", ...(range ? [] : ["course-number"]));
  el.append(label, ...(range ? [range] : []), box, hint, error);

  const shown = () => (range ? String(model.get("value")) : model.get("shown"));
  const nearest = (value) =>
    stops().reduce((best, stop, n) => (Math.abs(stop - value) < Math.abs(stops()[best] - value) ? n : best), 0);

  function showValue() {
    box.value = shown();
    if (!range) return;
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

  range?.addEventListener("input", () => {
    const value = stops()[range.value];
    el.dispatchEvent(new CustomEvent("course-ahead", { bubbles: true, detail: model.get("ahead")[String(value)] }));
    model.set("value", value);
    model.save_changes();
    showValue();
  });
  range?.addEventListener("focus", () => model.send({ reached: true }));
  const submit = () => box.value !== shown() && model.send({ typed: box.value });
  box.addEventListener("change", submit);
  box.addEventListener("keydown", (event) => event.key === "Enter" && submit());
  model.on("change:label change:hint change:error change:disabled change:stops", showRest);
  model.on("change:value change:shown change:stops", showValue);
  model.on("msg:custom", showValue);
  showRest();
  showValue();
}

export default { render };
