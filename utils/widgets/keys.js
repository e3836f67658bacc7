// Keys that are heard in the whole box that this part stands in.

const BOX = ".widget-vbox";

function render({ model, el }) {
  const unheard = new AbortController();

  function hear(event) {
    const pressed = (event.ctrlKey || event.metaKey ? "Control+" : "") + event.key;
    if (event.isComposing || event.defaultPrevented || !model.get("heard").includes(pressed)) return;
    event.preventDefault();
    model.send({ pressed });
  }

  function place() {
    const box = el.closest(BOX);
    if (box) box.addEventListener("keydown", hear, { signal: unheard.signal });
    else if (!unheard.signal.aborted) setTimeout(place, 50);
  }

  place();
  return () => unheard.abort();
}

export default { render };
