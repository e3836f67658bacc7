// A question with choices and a button; Enter commits. What is said about it comes from the kernel.

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function render({ model, el }) {
  const choice = (option) =>
    make("label", {}, make("input", { type: "radio", name: "choice", value: option, required: "" }), option);
  const button = make("button", { type: "submit", class: "jupyter-button mod-primary" }, "Commit guess");
  const asked = make("legend", {}, model.get("question"));
  const choices = make("fieldset", {}, asked, ...model.get("options").map(choice), button);
  const said = make("p", { role: "status" });
  const form = make("form", { class: "course-guess" }, choices, said);
  el.append(form);

  function showSaid() {
    said.textContent = model.get("said");
    choices.disabled = model.get("revealed");
    form.elements.choice.value = model.get("committed");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    model.send({ chosen: form.elements.choice.value });
  });
  model.on("change:said", showSaid);
  showSaid();
}

export default { render };
