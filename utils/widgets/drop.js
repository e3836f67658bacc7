// A box that takes a file dropped on it: the file's name and its bytes go to the kernel.

const BOX = ".widget-vbox";

function render({ model, el }) {
  const unheard = new AbortController();
  const signal = unheard.signal;

  async function take(event) {
    event.preventDefault();
    event.stopPropagation();
    const [file] = event.dataTransfer.files;
    if (file) model.send({ dropped: file.name }, undefined, [await file.arrayBuffer()]);
  }

  function place() {
    const box = el.closest(BOX);
    if (!box && !signal.aborted) return setTimeout(place, 50);
    const outlined = (style) => () => { box.style.outline = style; };
    box.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); }, { signal });
    box.addEventListener("dragenter", outlined("2px dashed var(--jp-brand-color1, #0072b2)"), { signal });
    for (const end of ["dragleave", "drop"]) box.addEventListener(end, outlined(""), { signal });
    box.addEventListener("drop", take, { signal });
  }

  place();
  return () => unheard.abort();
}

export default { render };
