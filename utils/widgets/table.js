// A table of texts that is edited in place; the page sends all rows after a change, and shows one part of them.

const SHOWN = 50;
const SENT_AFTER_MS = 250;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// What a spreadsheet puts on the clipboard: cells between tabs, in quotation marks where they hold a tab or a line break.
function parse(text) {
  const cell = /(?:"((?:[^"]|"")*)"|([^\t\n]*))(\t|\n|$)/y;
  const rows = [[]];
  while (cell.lastIndex < text.length) {
    const [, quoted, plain, end] = cell.exec(text) ?? [, , text.slice(cell.lastIndex), ""];
    rows.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === "\n" && cell.lastIndex < text.length) rows.push([]);
    if (!end) break;
  }
  return rows;
}

function render({ model, el }) {
  const hint = make("span", { class: "course-table-hint", id: `course-table-${crypto.randomUUID()}` },
    "Keys in a cell: Alt+Enter adds a row, Alt+\u2191 and Alt+\u2193 move it, Alt+Delete deletes it.");
  const head = make("tr", {});
  const body = make("tbody", {});
  const table = make("table", { "aria-describedby": hint.id }, make("thead", {}, head), body);
  const box = make("div", { class: "course-table-box", role: "region", tabindex: "0" }, table);
  const said = make("span", { role: "status" });
  const tools = make("div", { class: "course-table-tools" });
  el.classList.add("course-table");
  el.append(tools, box, hint);
  let first = 0;
  let waiting = 0;

  const rows = () => model.get("rows");
  const chosen = () => model.get("chosen");
  const columns = () => model.get("columns");
  const tool = (label, act) => {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", act);
    tools.append(button);
    return button;
  };
  const add = tool("Add row", () => insert(rows().length));
  const remove = tool("Delete row", () => drop(chosen()));
  const up = tool("Move up", () => move(-1));
  const down = tool("Move down", () => move(1));
  const back = tool("Previous rows", () => turn(first - SHOWN));
  const on = tool("Next rows", () => turn(first + SHOWN));
  tools.append(said);

  function send() {
    clearTimeout(waiting);
    waiting = 0;
    model.save_changes();
  }

  function put(next, at = chosen()) {
    model.set("rows", next);
    model.set("chosen", Math.min(Math.max(at, 0), next.length - 1));
    send();
  }

  function insert(at, column = 0) {
    put(rows().toSpliced(at, 0, columns().map(() => "")), at);
    focus(at, column);
  }

  function drop(at, column = 0) {
    if (!rows().length) return;
    put(rows().toSpliced(at, 1), at);
    if (rows().length) focus(chosen(), column);
    else add.focus();
  }

  function move(step, column) {
    const [from, to] = [chosen(), chosen() + step];
    if (to < 0 || to >= rows().length) return;
    put(rows().with(from, rows()[to]).with(to, rows()[from]), to);
    if (column !== undefined) focus(to, column);
  }

  function paste(text, at, column) {
    const next = rows().map((row) => [...row]);
    parse(text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")).forEach((cells, n) => {
      const row = (next[at + n] ??= columns().map(() => ""));
      cells.slice(0, columns().length - column).forEach((value, k) => (row[column + k] = value));
    });
    put(next, at);
    focus(at, column);
  }

  function turn(to) {
    first = to;
    show();
    box.scrollTop = 0;
  }

  function focus(row, column) {
    if (row < first || row >= first + SHOWN) turn(Math.floor(row / SHOWN) * SHOWN);
    body.children[row - first]?.querySelectorAll("textarea")[column]?.focus();
  }

  function placeOf(cell) {
    const line = cell.closest("tr");
    return [first + [...body.children].indexOf(line), [...line.querySelectorAll("textarea")].indexOf(cell)];
  }

  function cell() {
    const area = make("textarea", { rows: "1" });
    area.addEventListener("focus", () => choose(placeOf(area)[0]));
    area.addEventListener("input", () => {
      const [row, column] = placeOf(area);
      model.set("rows", rows().with(row, rows()[row].with(column, area.value)));
      clearTimeout(waiting);
      waiting = setTimeout(send, SENT_AFTER_MS);
    });
    area.addEventListener("blur", () => waiting && send());
    area.addEventListener("paste", (event) => {
      const text = event.clipboardData.getData("text/plain");
      if (!text.includes("\t")) return;
      event.preventDefault();
      paste(text, ...placeOf(area));
    });
    area.addEventListener("keydown", (event) => {
      const [row, column] = placeOf(area);
      const act = event.altKey && {
        Enter: () => insert(row + 1, column),
        Delete: () => drop(row, column),
        ArrowUp: () => move(-1, column),
        ArrowDown: () => move(1, column),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    return area;
  }

  function choose(row) {
    if (row === chosen()) return;
    model.set("chosen", row);
    send();
  }

  function line() {
    return make("tr", {}, make("td", {}), ...columns().map(() => make("td", {}, cell())));
  }

  function show() {
    const all = rows();
    if (first >= all.length) first = Math.max(0, Math.floor((all.length - 1) / SHOWN) * SHOWN);
    const shown = all.slice(first, first + SHOWN);
    while (body.children.length > shown.length) body.lastChild.remove();
    while (body.children.length < shown.length) body.append(line());
    shown.forEach((row, n) => {
      body.children[n].firstChild.textContent = String(first + n + 1);
      body.children[n].querySelectorAll("textarea").forEach((area, column) => {
        if (area.value !== row[column]) area.value = row[column] ?? "";
        area.setAttribute("aria-label", `${columns()[column]}, row ${first + n + 1}`);
      });
    });
    showChosen();
  }

  function showChosen() {
    const [all, at] = [rows().length, chosen()];
    [...body.children].forEach((row, n) => row.setAttribute("aria-current", String(first + n === at)));
    remove.disabled = !all;
    up.disabled = at < 1;
    down.disabled = at < 0 || at >= all - 1;
    back.hidden = on.hidden = all <= SHOWN;
    back.disabled = !first;
    on.disabled = first + SHOWN >= all;
    const part = all > SHOWN ? `Rows ${first + 1} to ${Math.min(first + SHOWN, all)} of ${all.toLocaleString("en")}. ` : "";
    said.textContent = all ? `${part}Row ${at + 1} is chosen.` : "No row yet.";
  }

  function showColumns() {
    head.replaceChildren(make("th", { scope: "col" }, "Row"), ...columns().map((name) => make("th", { scope: "col" }, name)));
    body.replaceChildren();
    show();
  }

  function showLabel() {
    box.setAttribute("aria-label", model.get("label"));
  }

  model.on("change:columns", showColumns);
  model.on("change:rows", show);
  model.on("change:chosen", showChosen);
  model.on("change:label", showLabel);
  showLabel();
  showColumns();
}

export default { render };
