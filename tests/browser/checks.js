// What is wrong with a part of a page, as a reader would see it: each check gets an element and yields sentences.

(() => {
  const UNREAD = "mjx-container, .cm-editor, script, style, .jp-InputPrompt, .jp-OutputPrompt, .jp-InternalAnchorLink";
  const CONTROLS = "input, select, textarea, button, [role=slider]";
  const PICTURES = ".course-picture, svg[role=img], img";
  const WIDGETS = ".jp-OutputArea-output > .jupyter-widgets";
  const PANEL = ".jp-WindowedPanel-outer";
  const SMALLEST = 9; // pixels on the screen
  const FIGURE_TEXT = 16.8; // what utils.plots writes, in pixels of the file
  const AUTO_RING = 2; // what the browser draws by itself around a control
  const ICON = 100;
  const LONGEST_WORD = 30;

  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const brief = (text) => `'${text.trim().replace(/\s+/g, " ").slice(0, 50)}'`;
  const scrolls = (overflow) => overflow === "auto" || overflow === "scroll";
  const clips = (overflow) => overflow === "hidden" || overflow === "clip";
  const all = (root, selector) => [...root.querySelectorAll(selector)].filter(seen);
  const pixels = (number) => `${Math.round(number)} px`;

  function kind(element) {
    const own = [...element.classList].find((name) => name.startsWith("course-"));
    return own ?? element.getAttribute("role") ?? element.nodeName.toLowerCase();
  }

  function* texts(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || parent.closest(UNREAD) || !seen(parent) || forEarsOnly(parent)) continue;
      yield walker.currentNode;
    }
  }

  function forEarsOnly(element) {
    for (let at = element; at && !at.matches(PANEL); at = at.parentElement)
      if (at.clientWidth === 1 && at.clientHeight === 1) return true;
    return false;
  }

  function rects(node, start = 0, end = node.length) {
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, end);
    return [...range.getClientRects()].filter((rect) => rect.width > 0);
  }

  const words = (node) =>
    [...node.data.matchAll(/\S+/gu)].flatMap((word) => rects(node, word.index, word.index + word[0].length));

  // How far a rectangle sticks out of what clips it, where no scroll bar leads to the rest.
  function beyond(rect, element) {
    let most = 0;
    let [across, down] = [true, true];
    for (let at = element; at && (across || down) && !at.matches(PANEL); at = at.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(at);
      const box = at.getBoundingClientRect();
      across &&= !(scrolls(overflowX) && at.scrollWidth > at.clientWidth + 1);
      down &&= !(scrolls(overflowY) && at.scrollHeight > at.clientHeight + 1);
      if (across && overflowX !== "visible") most = Math.max(most, rect.right - box.right - 1, box.left - rect.left - 1);
      if (down && overflowY !== "visible") most = Math.max(most, rect.bottom - box.bottom - 3, box.top - rect.top - 3);
    }
    return most;
  }

  function* cut(root) {
    for (const node of texts(root)) {
      const out = Math.max(...words(node).map((rect) => beyond(rect, node.parentElement)), 0);
      const { overflowX } = getComputedStyle(node.parentElement);
      const inside = clips(overflowX) ? node.parentElement.scrollWidth - node.parentElement.clientWidth - 1 : 0;
      if (Math.max(out, inside) > 0)
        yield `cut: ${brief(node.data)} in ${kind(node.parentElement)} by ${pixels(Math.max(out, inside))}`;
    }
    for (const control of all(root, "input, select").filter((control) => !control.matches("input") || !/\s/.test(control.value))) {
      const missing = widthNeeded(control) - control.clientWidth;
      if (missing > 1) yield `cut: ${brief(valueOf(control))} in ${kind(control)} by ${pixels(missing)}`;
    }
    for (const box of all(root, `${CONTROLS}, ${PICTURES}`)) {
      const out = beyond(box.getBoundingClientRect(), box.parentElement);
      if (out > 0) yield `cut: ${kind(box)} ${brief(nameOf(box))} by ${pixels(out)}`;
    }
  }

  const valueOf = (control) =>
    control.matches("select") ? (control.selectedOptions[0]?.text ?? "") : control.value;
  const nameOf = (element) =>
    element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ?? element.alt ?? element.innerText ?? "";

  function widthNeeded(control) {
    if (["range", "radio", "checkbox", "button"].includes(control.type)) return 0;
    const style = getComputedStyle(control);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const arrow = control.matches("select, [type=number]") ? 16 : 0;
    return pen.measureText(valueOf(control)).width + parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + arrow;
  }

  // How far a rectangle sticks out of what hides the rest, scroll bar or not.
  function clipped(rect, element) {
    let most = 0;
    for (let at = element; at && !at.matches(PANEL); at = at.parentElement) {
      const { overflowX, overflowY, contain } = getComputedStyle(at);
      const box = at.getBoundingClientRect();
      const [left, top] = [box.left + at.clientLeft, box.top + at.clientTop];
      const paints = /paint|strict|content/.test(contain);
      if (paints || overflowX !== "visible") most = Math.max(most, left - rect.left, rect.right - left - at.clientWidth);
      if (paints || overflowY !== "visible") most = Math.max(most, top - rect.top, rect.bottom - top - at.clientHeight);
    }
    return most;
  }

  // The ring around the control that the keys have reached.
  function* ringless(root) {
    const before = document.activeElement;
    for (const control of all(root, CONTROLS)) {
      control.focus({ focusVisible: true, preventScroll: true });
      if (!control.matches(":focus-visible")) continue;
      const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(control);
      const ring = { none: 0, auto: AUTO_RING }[outlineStyle] ?? parseFloat(outlineWidth) + parseFloat(outlineOffset);
      const { left, top, right, bottom } = control.getBoundingClientRect();
      const around = { left: left - ring, top: top - ring, right: right + ring, bottom: bottom + ring };
      const out = clipped(around, control.parentElement);
      if (out > 0.5) yield `ringless: ${kind(control)} ${brief(nameOf(control))} by ${pixels(out)}`;
    }
    before?.focus({ preventScroll: true });
  }

  function* broken(root) {
    for (const node of texts(root))
      for (const word of node.data.matchAll(/[\p{L}\p{N}_]+/gu)) {
        if (word[0].length > LONGEST_WORD || /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}]/u.test(word[0])) continue;
        const lines = rects(node, word.index, word.index + word[0].length);
        if (lines.length > 1 && lines.at(-1).top > lines[0].top + lines[0].height / 2)
          yield `broken: ${brief(word[0])} in ${kind(node.parentElement)} ${brief(node.data)}`;
      }
  }

  function* small(root) {
    const drawings = new Map();
    for (const node of texts(root)) {
      const text = node.parentElement;
      const drawing = text.closest("svg");
      const size = parseFloat(getComputedStyle(text).fontSize) * (drawing ? Math.abs(text.getScreenCTM().d) : 1);
      if (size < SMALLEST) drawings.set(drawing ?? node, [node.data, size]);
    }
    for (const figure of all(root, "img").filter((image) => image.naturalWidth > ICON)) {
      const size = (FIGURE_TEXT * figure.clientWidth) / figure.naturalWidth;
      if (size < SMALLEST) drawings.set(figure, [figure.alt, size]);
    }
    for (const [text, size] of drawings.values()) yield `small: ${brief(text)} is ${size.toFixed(1)} px high`;
  }

  function* covered(root) {
    for (const drawing of all(root, "svg")) {
      const boxes = all(drawing, "text")
        .filter((text) => text.textContent.trim())
        .map((text) => [text.textContent, text.getBoundingClientRect()]);
      for (const [n, [text, box]] of boxes.entries())
        for (const [other, its] of boxes.slice(n + 1)) {
          const wide = Math.min(box.right, its.right) - Math.max(box.left, its.left);
          const high = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
          if (wide > 2 && high > box.height / 3) yield `covered: ${brief(text)} and ${brief(other)} by ${pixels(wide)}`;
        }
    }
    for (const control of all(root, CONTROLS)) {
      const box = control.getBoundingClientRect();
      const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      if (hit && root.contains(hit) && !control.contains(hit) && !hit.contains(control) && !hit.control)
        yield `covered: ${kind(control)} ${brief(nameOf(control))} by ${kind(hit)} ${brief(hit.textContent)}`;
    }
  }

  // A text of any length may scroll in a place of its own that has a name and that keys reach: a region. So does a list.
  function* scrolled(root) {
    const inWidgets = all(root, WIDGETS).flatMap((widget) => [widget, ...all(widget, "*")]);
    for (const element of [root.closest(PANEL), root, ...all(root, "*")].filter(Boolean)) {
      if (element.closest(".cm-editor, mjx-container") || element.matches("input, select")) continue;
      const style = getComputedStyle(element);
      const across = element.scrollWidth - element.clientWidth;
      const down = element.scrollHeight - element.clientHeight;
      if (scrolls(style.overflowX) && across > 1)
        yield `scroll bar: ${kind(element)} ${brief(element.innerText ?? "")} is ${pixels(across)} too wide`;
      if (scrolls(style.overflowY) && down > 1 && inWidgets.includes(element) && !element.matches("[role=region][tabindex]"))
        yield `scroll bar: ${kind(element)} ${brief(element.innerText ?? "")} is ${pixels(down)} too high`;
    }
  }

  function* outside(root) {
    const view = root.closest(PANEL).getBoundingClientRect();
    const parts = all(root, `${CONTROLS}, ${PICTURES}`).filter((part) => !part.parentElement.closest(PICTURES));
    if (parts.every((part) => part.type === "radio")) return; // a quiz is read like text
    for (const part of parts) {
      const box = part.getBoundingClientRect();
      const out = Math.max(view.top - box.top, box.bottom - view.bottom, view.left - box.left, box.right - view.right);
      if (out > 1) yield `outside: ${kind(part)} ${brief(nameOf(part))} by ${pixels(out)}`;
    }
  }

  // A message of the widget as a whole: what a slider says of a value it refused concerns no picture.
  function* contradicted(root) {
    for (const widget of all(root, WIDGETS)) {
      const refusals = all(widget, "[role=alert]").filter((part) => part.innerText.trim() && !part.closest(".course-slider, .course-old"));
      if (!refusals.length) continue;
      for (const picture of all(widget, `${PICTURES}, .course-completion`))
        if (!picture.closest(".course-old") && !picture.querySelector(".course-old"))
          yield `contradicted: ${kind(picture)} beside ${brief(refusals[0].innerText)}`;
    }
  }

  function light([red, green, blue]) {
    const [r, g, b] = [red, green, blue].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();

  function contrast(layers, ink, opacity) {
    const key = JSON.stringify([layers, ink, opacity]);
    if (!known.has(key)) {
      const paint = (colour, alpha) => {
        brush.globalAlpha = alpha;
        brush.fillStyle = colour;
        brush.fillRect(0, 0, 1, 1);
        return light(brush.getImageData(0, 0, 1, 1).data);
      };
      paint("#fff", 1);
      const [ground] = layers.map((colour) => paint(colour, 1)).slice(-1);
      const text = paint(ink, opacity);
      known.set(key, (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05));
    }
    return known.get(key);
  }

  function* faint(root) {
    for (const node of texts(root)) {
      const text = node.parentElement;
      if (text.closest(":disabled, [aria-disabled=true], [inert], .course-old")) continue;
      const style = getComputedStyle(text);
      const layers = [];
      let opacity = 1;
      for (let at = text; at; at = at.parentElement) {
        if (!at.closest("svg")) layers.unshift(getComputedStyle(at).backgroundColor);
        opacity *= Number(getComputedStyle(at).opacity);
      }
      const ratio = contrast(layers, text.closest("svg") ? style.fill : style.color, opacity);
      if (!/[\p{L}\p{N}]/u.test(node.data) && ratio >= 3) continue;
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
      if (ratio < (large ? 3 : 4.5)) yield `faint: ${brief(node.data)} has a contrast of ${ratio.toFixed(1)}`;
    }
  }

  function* red(root) {
    for (const output of all(root, "[data-mime-type*=error], [data-mime-type*=stderr]")) {
      const lines = new Set([...texts(output)].flatMap((node) => rects(node).map((rect) => Math.round(rect.bottom / 4))));
      if (lines.size > 5) yield `red: ${lines.size} lines from ${brief(output.innerText)}`;
    }
  }

  const checks = { cut, ringless, broken, small, covered, scrolled, outside, contradicted, faint, red };
  const look = (part, names) => names.flatMap((name) => [...checks[name](part)]);
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

  // Read a notebook from its first cell to its last as a hand scrolls; the sentences begin with the cell's number.
  async function walk(panel, names) {
    const done = new Set();
    const found = [];
    panel.scrollTop = 0;
    for (let last = -1; panel.scrollTop !== last; panel.scrollTop += panel.clientHeight * 0.8) {
      last = panel.scrollTop;
      await drawn();
      const view = panel.getBoundingClientRect();
      for (const cell of panel.querySelectorAll(".jp-Cell")) {
        const box = cell.getBoundingClientRect();
        const number = cell.dataset.windowedListIndex;
        if (done.has(number) || box.bottom < view.top || box.top > view.bottom) continue;
        done.add(number);
        found.push(...look(cell, names).map((sentence) => `cell ${number}: ${sentence}`));
      }
    }
    return found;
  }

  const widgets = (panel) =>
    [...panel.querySelectorAll(".jp-CodeCell")].filter((cell) => cell.querySelector(WIDGETS)).map((cell) => Number(cell.dataset.windowedListIndex));

  return { look, walk, widgets };
})()
