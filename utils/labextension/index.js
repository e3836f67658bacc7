// What JupyterLab loads: a container as module federation has it, written by hand, so that nothing needs to be built.

const here = document.currentScript.src;

window._JUPYTERLAB ??= {};
window._JUPYTERLAB["generative-ai-course"] = {
  init(shared) {
    this.shared = shared;
  },
  async get() {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("style.css", here) }));
    const { plugins } = await import(new URL("plugins.js", here));
    const exported = { default: await plugins((name) => this.take(name)), __esModule: true };
    return () => exported;
  },
  // One of JupyterLab's own packages, in the version that runs.
  async take(name) {
    const [version] = Object.values(this.shared[name]);
    return (await version.get())();
  },
};
