// A drawing that the kernel sends whole; only what differs from the one before is changed in the page.

function parse(markup) {
  const template = document.createElement("template");
  template.innerHTML = markup;
  return template.content;
}

function alike(before, after) {
  return before.nodeName === after.nodeName && before.childNodes.length === after.childNodes.length;
}

function change(before, after) {
  if (before.nodeType === Node.TEXT_NODE) {
    if (before.data !== after.data) before.data = after.data;
    return;
  }
  for (const { name, value } of after.attributes ?? []) {
    if (before.getAttribute(name) !== value) before.setAttribute(name, value);
  }
  [...before.childNodes].forEach((child, n) => {
    const other = after.childNodes[n];
    if (alike(child, other)) change(child, other);
    else child.replaceWith(other.cloneNode(true));
  });
}

function render({ model, el }) {
  const place = document.createElement("div");
  el.append(place);

  function show() {
    el.style.height = model.get("height");
    const next = parse(model.get("value"));
    if (place.childNodes.length === next.childNodes.length) change(place, next);
    else place.replaceChildren(next);
  }

  model.on("change:value", show);
  model.on("change:height", show);
  show();
}

export default { render };
