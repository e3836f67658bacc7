// What a cell showed before it runs again: a copy, greyed and without life, that holds the place until something new comes.

export class OldOutput {
  constructor({ outputArea, outputHidden }) {
    const { node, model } = outputArea;
    this.model = model;
    if (!this.says() || outputHidden || !node.isConnected) return;
    this.wrapper = node.parentElement;
    this.copy = lifeless(node);
    this.wrapper.style.minHeight = `${node.offsetHeight}px`;
    this.wrapper.append(this.copy);
    model.changed.connect(this.look, this);
  }

  says() {
    return Array.from({ length: this.model.length }, (_, index) => this.model.get(index)).some(isSaying);
  }

  look() {
    if (this.says()) this.remove();
  }

  remove() {
    if (!this.copy) return;
    this.model.changed.disconnect(this.look, this);
    this.copy.remove();
    this.wrapper.style.minHeight = "";
    this.copy = null;
  }
}

// A progress bar, or its empty place, says nothing that could be kept or take the place of what was.
function isSaying({ type, data }) {
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
