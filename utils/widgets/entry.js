// A box for an answer that is given once, and a button: what is sent is what stands in the box then.

function render({ model, el }) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  const button = document.createElement("button");
  Object.assign(box, { type: "text", autocomplete: "off", id: `course-entry-${crypto.randomUUID()}` });
  label.htmlFor = box.id;
  button.className = "jupyter-widgets jupyter-button widget-button mod-primary";
  el.classList.add("course-entry");
  el.append(label, box, button);

  function show() {
    label.textContent = model.get("label");
    button.textContent = model.get("button");
    box.disabled = button.disabled = model.get("disabled");
  }

  const commit = () => model.send({ committed: box.value });
  button.addEventListener("click", commit);
  box.addEventListener("keydown", (event) => event.key === "Enter" && commit());
  box.addEventListener("input", () => model.send({ typed: true }));
  model.on("change", show);
  show();
}

export default { render };
