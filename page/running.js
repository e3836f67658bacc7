// A kernel starts with the first cell that is run, one for all that wait for it.

import { OldOutput } from "./old_output.js";

const starting = new WeakMap();

export function executor(runCell) {
  return {
    runCell: async (options) => {
      const { cell, sessionContext } = options;
      if (cell.model.type !== "code") return runCell(options);
      await started(sessionContext);
      const old = new OldOutput(cell);
      try {
        return await runCell(options);
      } finally {
        old.remove();
      }
    },
  };
}

// Opening and reading starts no kernel.
export function startWithFirstRun(registry) {
  const preferred = registry.getKernelPreference.bind(registry);
  registry.getKernelPreference = (path, factory, kernel) => {
    const preference = preferred(path, factory, kernel);
    return preference?.shouldStart && !kernel ? { ...preference, shouldStart: false } : preference;
  };
}

// JupyterLab restarts only a kernel that has run: without one, "Restart and Run All" starts it.
export function restartWithout(dialogs) {
  const restart = dialogs.restart.bind(dialogs);
  dialogs.restart = async (session, options) => {
    if (session.session?.kernel || session.prevKernelName) return restart(session, options);
    return !(await started(session));
  };
}

function started(session) {
  if (session.session?.kernel || session.isTerminating) return;
  if (!starting.has(session)) {
    starting.set(session, session.startKernel().finally(() => starting.delete(session)));
  }
  return starting.get(session);
}
