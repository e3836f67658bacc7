// Keys that are heard in the whole box that this part stands in.

const BOX = ".widget-vbox";

function render({ model, el }) {
  const unheard = new AbortController();

  function hear(event) {  // before a box of ipywidgets, which keeps its keys to itself
    const pressed = (event.ctrlKey || event.metaKey ? "Control+" : "") + event.key;
    if (event.isComposing || !model.get("heard").includes(pressed)) return;
    event.preventDefault();
    model.send({ pressed });
  }

  function place() {
    const box = el.closest(BOX);
    if (box) box.addEventListener("keydown", hear, { capture: true, signal: unheard.signal });
    else if (!unheard.signal.aborted) setTimeout(place, 50);
  }

  place();
  return () => unheard.abort();
}

export default { render };
