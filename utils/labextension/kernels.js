// What a kernel writes into a notebook, and what is said when it ends.

// What the file says of its kernel stays as it is: opening, running and restarting write nothing there.
export function keepMetadata(panel) {
  const { model } = panel.context;
  const set = model.setMetadata.bind(model);
  model.setMetadata = (key, value) => {
    const same = ["kernelspec", "language_info"].includes(key) && model.getMetadata(key)?.name === value.name;
    if (!same) set(key, value);
  };
}

// A session counts as ready when it has a kernel: what waits for that, such as the widgets, asks for the kernel at once.
export function readyWithKernel(session) {
  const ready = new Promise((resolve) => {
    session.kernelChanged.connect((_, { newValue }) => newValue && resolve());
  });
  Object.defineProperty(session, "ready", { value: ready });
}

// Closing a notebook ends its kernel, but not one at work: that ends when it has had nothing to do for long.
const working = new WeakMap();

export function endWithNotebook(session) {
  session.statusChanged.connect(() => decide(session));
}

// How many cells of a session run or wait changes by so many.
export function work(session, change) {
  working.set(session, (working.get(session) ?? 0) + change);
  decide(session);
}

function decide(session) {
  const idle = !working.get(session) && session.session?.kernel?.status !== "busy";
  session.kernelPreference = { ...session.kernelPreference, shutdownOnDispose: idle };
}

export function tellOfEnd(session, Notification) {
  session.statusChanged.connect((_, status) => {
    if (status !== "dead") return;
    Notification.warning(
      `The kernel of ${session.name} has ended (nothing ran for long, or it failed): run the notebook from the top.`,
      { autoClose: false },
    );
  });
}
