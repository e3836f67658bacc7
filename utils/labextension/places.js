// A link lands on its heading, and a reload keeps the place, although cells are drawn late.

const STILL = 3000;
const AT_MOST = 30_000;
const BELOW = 16;

export function landLinks(NotebookPanel) {
  const jump = NotebookPanel.prototype.setFragment;
  NotebookPanel.prototype.setFragment = async function (fragment) {
    jump.call(this, fragment);
    await this.context.ready;
    const name = CSS.escape(decodeURIComponent(fragment.replace(/^#/, "")));
    hold(this.content.outerNode, () => this.content.node.querySelector(`[data-jupyter-id="${name}"]`), BELOW);
  };
}

// The first cell in view, and how far it begins below the top, are noted in the browser's tab until the notebook closes.
export function keepPlace(panel) {
  const { content, context } = panel;
  const view = content.outerNode;
  const key = `generative-ai-course:${context.path}`;
  const cells = () => content.widgets.map((cell) => cell.node);
  const note = debounced(() => {
    const first = cells().findIndex((cell) => distance(cell, view) + cell.offsetHeight > 0);
    if (first >= 0) sessionStorage.setItem(key, JSON.stringify([first, distance(cells()[first], view)]));
  });
  const place = JSON.parse(sessionStorage.getItem(key));
  panel.disposed.connect(() => sessionStorage.removeItem(key));
  whenSeen(view, async () => {
    if (place) await hold(view, () => cells()[place[0]], place[1]);
    view.addEventListener("scroll", note);
  });
}

// JupyterLab sometimes jumps to the top when a cell is run: whether a hand moved the page since is noted for the widgets.
export function noteHands(panel) {
  const view = panel.content.outerNode;
  const note = (event) => (view.dataset.movedByHand = moves(event, view));
  for (const hand of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    panel.node.addEventListener(hand, note, { capture: true, passive: true });
  }
}

function moves(event, view) {
  if (event.type === "keydown") return event.key !== "Enter";
  return event.type !== "pointerdown" || event.target === view;
}

// Keep what `find` returns so many pixels below the top until all is drawn and still, or a hand moves.
async function hold(view, find, below) {
  const hand = new AbortController();
  for (const moved of ["wheel", "pointerdown", "keydown"]) {
    window.addEventListener(moved, () => hand.abort(), { signal: hand.signal, capture: true });
  }
  const begun = performance.now();
  let moved = begun;
  for (let now = begun; !hand.signal.aborted && now - begun < AT_MOST && now - moved < STILL; now = await frame()) {
    const found = find();
    const off = found?.isConnected ? distance(found, view) - below : 0;
    const before = view.scrollTop;
    if (Math.abs(off) > 1) view.scrollTop += off;
    if (!found?.isConnected || view.scrollTop !== before) moved = now;
  }
  hand.abort();
}

function frame() {
  return new Promise(requestAnimationFrame);
}

function distance(element, view) {
  return element.getBoundingClientRect().top - view.getBoundingClientRect().top;
}

function debounced(act) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, 100);
  };
}

function whenSeen(element, act) {
  const observer = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    act();
  });
  observer.observe(element);
}
