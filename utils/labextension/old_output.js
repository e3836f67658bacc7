// What a cell showed before it runs again: a copy, greyed and without life, that holds the place until something new comes.

export class OldOutput {
  constructor({ outputArea, outputHidden }) {
    const { node, model } = outputArea;
    if (!model.length || outputHidden || !node.isConnected) return;
    this.model = model;
    this.wrapper = node.parentElement;
    this.copy = lifeless(node);
    this.wrapper.style.minHeight = `${node.offsetHeight}px`;
    this.wrapper.append(this.copy);
    model.changed.connect(this.look, this);
  }

  look() {
    for (let index = 0; index < this.model.length; index++) {
      if (isNew(this.model.get(index))) return this.remove();
    }
  }

  remove() {
    if (!this.copy) return;
    this.model.changed.disconnect(this.look, this);
    this.copy.remove();
    this.wrapper.style.minHeight = "";
    this.copy = null;
  }
}

// A progress bar, or its empty place, is nothing new.
function isNew({ type, data }) {
  if (type === "stream" || type === "error") return true;
  return Object.keys(data).length > 0 && !String(data["text/html"] ?? "").includes("<progress");
}

function lifeless(node) {
  const copy = node.cloneNode(true);
  copy.classList.add("course-old-output");
  copy.inert = true;
  copy.ariaHidden = "true";
  const typed = copy.querySelectorAll("input, textarea, select");
  node.querySelectorAll("input, textarea, select").forEach((input, index) => (typed[index].value = input.value));
  return copy;
}
