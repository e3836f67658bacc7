// A labelled choice, as ipywidgets draws one, that says what was chosen and not only where it stood.

function render({ model, el }) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  select.id = `course-choice-${crypto.randomUUID()}`;
  label.htmlFor = select.id;
  label.className = "widget-label";
  label.style.width = "auto";
  el.classList.add("jupyter-widgets", "widget-inline-hbox", model.get("rows") > 1 ? "widget-select" : "widget-dropdown");
  el.append(label, select);
  let listed = [];
  let asked = 0;

  // What a hand chose stays until the kernel has heard all that was chosen.
  function show() {
    const { labels, at } = model.get("shown");
    const chosen = listed[select.selectedIndex];
    if (listed.length !== labels.length || labels.some((text, n) => text !== listed[n]))
      select.replaceChildren(...labels.map((text) => new Option(text)));
    listed = labels;
    select.selectedIndex = asked ? labels.indexOf(chosen) : (at ?? -1);
    if (model.get("rows") > 1) select.size = model.get("rows");
    label.textContent = model.get("description");
    select.disabled = model.get("disabled");
  }

  function hear() {
    asked = Math.max(0, asked - 1);
    show();
  }

  select.addEventListener("change", () => {
    asked += 1;
    model.send({ chosen: listed[select.selectedIndex], number: select.selectedIndex });
  });
  model.on("change:shown change:description change:disabled", show);
  model.on("msg:custom", hear);
  show();
}

export default { render };
