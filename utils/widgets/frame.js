// The frame of a widget: keys pressed in it are its own, it says when its kernel is gone, and it stays in view when
// its cell was run by hand.

const KEEP = "data-lm-suppress-shortcuts";
const ENDS = ["restarting", "autorestarting", "terminating", "dead"];
const GONE =
  "This widget is off: its kernel was restarted or has ended. " +
  "Run the notebook from the top, or at least all cells above and this one.";
const SETTLES_MS = 5000;
const HANDS = ["wheel", "touchmove", "pointerdown", "keydown", "resize"];

function render({ model, el }) {
  const fresh = model.get("fresh");
  model.set("fresh", false);
  model.save_changes();
  el.hidden = true;
  el.classList.add("course-frame");
  el.setAttribute("role", "alert");
  const turnOff = () => whenPlaced(el, (widget) => off(widget, el));
  const forget = whenKernelGoes(model.widget_manager, turnOff);
  model.on("comm_live_update", turnOff);
  whenPlaced(el, (widget) => {
    widget.addEventListener("focusin", (event) => event.target.setAttribute(KEEP, "true"));
    if (fresh) stayInView(widget);
  });
  return forget;
}

function whenPlaced(el, act) {
  const widget = el.closest(".widget-vbox");
  if (widget) act(widget);
  else setTimeout(() => whenPlaced(el, act), 50);
}

// The manager of widgets hears only of a restart by hand: the rest is seen in the notebook's session, where there is one.
function whenKernelGoes(manager, act) {
  const session = manager?.context?.sessionContext;
  const mine = manager?.kernel?.id;
  const look = () => {
    if (manager.kernel?.id !== mine || ENDS.includes(manager.kernel.status)) act();
  };
  const signals = session ? [session.statusChanged, session.kernelChanged, session.sessionChanged] : [];
  signals.forEach((signal) => signal.connect(look));
  return () => signals.forEach((signal) => signal.disconnect(look));
}

function off(widget, notice) {
  if (!notice.hidden) return;
  notice.textContent = GONE;
  notice.hidden = false;
  widget.title = GONE;
  widget.classList.add("course-off");
  widget.addEventListener("pointerdown", () => notice.scrollIntoView({ block: "nearest" }));
  for (const part of widget.children) part.inert = part !== notice;
}

// Shift+Enter moves on to the next cell; what a widget shows comes later, and its picture later still, on a slow
// machine by many seconds: it is followed for a while after it has grown, until a hand moves the page.
function stayInView(widget) {
  const cell = widget.closest(".jp-Cell");
  const view = widget.closest(".jp-WindowedPanel-outer");
  if (!cell || !view || !runByHand(cell, view)) return;
  const moved = new AbortController();
  const { signal } = moved;
  HANDS.forEach((hand) => window.addEventListener(hand, () => moved.abort(), { signal, capture: true }));
  let end = 0;
  const follow = () => {
    if (!widget.isConnected) moved.abort();
    if (signal.aborted || performance.now() > end) return;
    view.scrollTop += outOfView(widget.getBoundingClientRect(), view);
    requestAnimationFrame(follow);
  };
  const grown = new ResizeObserver(() => {
    const still = performance.now() > end;
    end = performance.now() + SETTLES_MS;
    if (still) follow();
  });
  grown.observe(widget);
  signal.addEventListener("abort", () => grown.disconnect());
}

function runByHand(cell, view) {
  const active = view.querySelector(".jp-Cell.jp-mod-active");
  const past = Number(active?.dataset.windowedListIndex) - Number(cell.dataset.windowedListIndex);
  const top = view.getBoundingClientRect().top;
  const seen = (part) => {
    const box = part.getBoundingClientRect();
    return box.bottom > top && box.top < top + view.clientHeight;
  };
  const still = view.dataset.movedByHand === "false";
  return (past === 0 || past === 1) && (still || seen(cell) || seen(active));
}

// How far to scroll, in whole pixels: as little as shows all of the box, and its top where it is higher than the view.
function outOfView(box, view) {
  const above = box.top - view.getBoundingClientRect().top;
  const below = above + box.height - view.clientHeight;
  return above < 0 ? Math.floor(above) : Math.max(0, Math.min(Math.floor(above), Math.ceil(below)));
}

export default { render };
