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
  for (const { name } of [...(before.attributes ?? [])]) {
    if (!after.hasAttribute(name)) before.removeAttribute(name);
  }
  changeChildren(before, after);
}

function changeChildren(before, after) {
  [...before.childNodes].forEach((child, n) => {
    const other = after.childNodes[n];
    if (alike(child, other)) change(child, other);
    else child.replaceWith(other.cloneNode(true));
  });
}

const SETTLED_MS = 150;
const WIDGET = ".widget-vbox";

function whole(part) {
  let found = null;
  for (let box = part.closest(WIDGET); box; box = box.parentElement.closest(WIDGET)) found = box;
  return found;
}

function render({ model, el }) {
  const note = document.createElement("p");
  const place = document.createElement("div");
  note.className = "course-old-note";
  place.className = "course-drawing";
  el.classList.add("course-picture");
  el.append(note, place);
  let settling = 0;

  function draw(markup) {
    const next = parse(markup);
    if (place.childNodes.length === next.childNodes.length) changeChildren(place, next);
    else place.replaceChildren(next);
  }

  function show() {
    if (!settling) draw(model.get("value"));
  }

  function showAge() {
    note.textContent = model.get("old");
    note.hidden = !model.get("old");
    el.classList.toggle("course-old", !note.hidden);
  }

  // A slider knows the drawing for where it moved: show it now, and the kernel's last word when all is still.
  function showAhead({ detail, target }) {
    if (model.get("old") || !whole(el)?.contains(target)) return;
    clearTimeout(settling);
    settling = 0;
    if (!detail) return;
    draw(detail);
    settling = setTimeout(() => {
      settling = 0;
      show();
    }, SETTLED_MS);
  }

  model.on("change:value", show);
  model.on("change:old", showAge);
  document.addEventListener("course-ahead", showAhead);
  show();
  showAge();
  return () => document.removeEventListener("course-ahead", showAhead);
}

export default { render };
