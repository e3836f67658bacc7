// JupyterLab takes arrow keys and letters unless the element with the focus says that it needs them itself.

const KEEP = "data-lm-suppress-shortcuts";

function render({ el }) {
  el.style.display = "none";
  whenPlaced(el, (widget) => {
    widget.addEventListener("focusin", (event) => event.target.setAttribute(KEEP, "true"));
  });
}

function whenPlaced(el, act) {
  const widget = el.closest(".widget-vbox");
  if (widget) act(widget);
  else setTimeout(() => whenPlaced(el, act), 50);
}

export default { render };
