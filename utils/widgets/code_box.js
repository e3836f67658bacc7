// Code in a box, and a button that copies it to the clipboard and says so.

async function copied(text, box) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {  // an address that is not this machine's, or no permission: select it, and copy that
    getSelection().selectAllChildren(box);
    return document.execCommand("copy");
  }
}

function render({ model, el }) {
  const button = document.createElement("button");
  const said = document.createElement("span");
  const box = document.createElement("pre");
  button.className = "jupyter-widgets jupyter-button widget-button";
  button.textContent = "Copy";
  said.setAttribute("role", "status");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  el.classList.add("course-code");
  el.append(button, said, box);

  function show() {
    box.textContent = model.get("code");
    box.setAttribute("aria-label", model.get("label"));
    button.setAttribute("aria-label", `Copy: ${model.get("label")}`);
    button.disabled = !model.get("code");
    said.textContent = "";
  }

  button.addEventListener("click", async () => {
    said.textContent = "";
    const done = await copied(model.get("code"), box);
    said.textContent = done ? "Copied." : "The browser does not copy: the code is selected, press Ctrl+C (⌘C).";
  });
  model.on("change", show);
  show();
}

export default { render };
