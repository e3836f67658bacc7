// What a widget of an earlier kernel showed: the picture stored beside it, in place of "model not found".

const VIEW = "application/vnd.jupyter.widget-view+json";
const PICTURE = "text/html";
const LOST = "Error displaying widget";

export function showStored(panel) {
  const { rendermime } = panel.content;
  const create = rendermime.createRenderer.bind(rendermime);
  rendermime.createRenderer = (type) => {
    const renderer = create(type);
    if (type !== VIEW) return renderer;
    const render = renderer.renderModel.bind(renderer);
    const picture = async (output) => {
      if (!output.data[PICTURE]) return;
      const stored = create(PICTURE);
      await stored.renderModel(output);
      renderer.node.replaceChildren(stored.node);
    };
    renderer.renderModel = async (output) => {
      const rendered = render(output);
      if (!panel.sessionContext.session?.kernel) picture(output);
      await rendered;
      if (renderer.node.textContent.startsWith(LOST)) await picture(output);
    };
    return renderer;
  };
}
