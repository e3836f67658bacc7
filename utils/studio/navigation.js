// The pages of a studio as a list of buttons; arrow keys move between them, Enter and space open one.

function render({ model, el }) {
  const nav = document.createElement("nav");
  nav.className = "course-pages";
  nav.setAttribute("aria-label", "Pages of the studio");
  el.append(nav);

  const draw = () => {
    nav.replaceChildren(
      ...model.get("names").map((name) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = name;
        if (name === model.get("value")) button.setAttribute("aria-current", "page");
        button.addEventListener("click", () => model.send({ chosen: name }));
        return button;
      }),
    );
  };

  const mark = () => {
    for (const button of nav.children) {
      if (button.textContent === model.get("value")) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
  };

  nav.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const buttons = [...nav.children];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[(at + step + buttons.length) % buttons.length].focus();
  });

  draw();
  model.on("change:names", draw);
  model.on("change:value", mark);
}

export default { render };
