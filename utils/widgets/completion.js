// A completion as a row of tokens: shaded by probability, each with its alternatives to continue from.

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const percent = (p) => (p > 0 && p < 0.0005 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);
const visible = (text) => text.replaceAll("\n", "\u23ce") || "(nothing)";

function render({ model, el }) {
  const note = make("b", { class: "course-old-note" });
  const caption = make("span", {});
  const text = make("div", { class: "course-tokens", role: "group" });
  const status = make("div", { class: "course-status", role: "status" });
  const details = make("div", { class: "course-details" });
  el.classList.add("course-completion");
  el.append(make("div", { class: "course-caption" }, note, " ", caption), text, status, details);
  let chosen = -1;

  function tokenButton(step, index) {
    // A span, not a button: a line breaks between two words only, not between two tokens of one.
    const button = make("span", { role: "button", class: "course-token", tabindex: index ? "-1" : "0" }, visible(step.text));
    button.style.setProperty("--unlikely", String(1 - step.model_probability));
    button.setAttribute("aria-label", `Token ${index + 1}: ${visible(step.text)}, probability ${percent(step.model_probability)}`);
    button.addEventListener("focus", () => choose(index));
    button.addEventListener("mouseenter", () => choose(index));
    return button;
  }

  function showTokens() {
    const steps = model.get("steps");
    let same = 0;
    while (same < steps.length && text.children[same]?.dataset.key === steps[same].key) same++;
    while (text.children.length > same) text.lastChild.remove();
    steps.slice(same).forEach((step, n) => {
      const button = tokenButton(step, same + n);
      button.dataset.key = step.key;
      text.append(button);
    });
    if (chosen >= steps.length) choose(-1);
  }

  function showRest() {
    text.setAttribute("aria-label", model.get("label"));
    caption.textContent = model.get("caption");
    status.textContent = [model.get("status"), model.get("parts")].filter(Boolean).join(" ");
    note.textContent = model.get("old");
    note.hidden = !model.get("old");
    el.classList.toggle("course-old", !note.hidden);
  }

  function choose(index) {
    chosen = index;
    const step = model.get("steps")[index];
    if (!step) return details.replaceChildren("Point at a token, or move to it with Tab and the arrow keys.");
    const facts = make("p", {}, make("b", {}, visible(step.text)),
      `: probability ${percent(step.model_probability)} by the model, ${percent(step.probability)} under the settings; rank ${step.rank}, entropy ${step.entropy.toFixed(2)} bits. ${step.parts} Continue instead with`);
    const others = step.alternatives.map((other) => {
      const button = make("button", { type: "button", class: "course-alternative" }, `${visible(other.text)} ${percent(other.model_probability)}`);
      button.setAttribute("aria-label", `Continue from token ${index + 1} with ${visible(other.text)}`);
      button.addEventListener("click", () => model.send({ position: index, token: other.token }));
      return button;
    });
    details.replaceChildren(facts, ...others);
  }

  text.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = text.children[[...text.children].indexOf(event.target) + move];
    if (move && next) {
      event.preventDefault();
      next.focus();
    }
  });
  model.on("change:steps", showTokens);
  model.on("change:label change:caption change:status change:parts change:old", showRest);
  showTokens();
  showRest();
  choose(-1);
}

export default { render };
