// A kernel starts with the first cell that is run, one for all that wait for it.

import { dropEmptied } from "./emptied.js";
import { work } from "./kernels.js";
import { OldOutput } from "./old_output.js";

const QUIET = 300;
const PATIENCE = 10_000;
const starting = new WeakMap();

export function executor(runCell) {
  return {
    runCell: async (options) => {
      const { cell, sessionContext } = options;
      if (cell.model.type !== "code") return runCell(options);
      if (!sessionContext.session?.kernel) cell.model.executionState = "running";
      await started(sessionContext);
      const old = new OldOutput(cell);
      work(sessionContext, +1);
      try {
        return await runCell(options);
      } finally {
        work(sessionContext, -1);
        dropEmptied(cell);
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

// Resolves to true where JupyterLab must ask which kernel to start.
function started(session) {
  if (session.session?.kernel || session.isTerminating) return;
  if (!starting.has(session)) {
    starting.set(session, start(session).finally(() => starting.delete(session)));
  }
  return starting.get(session);
}

async function start(session) {
  await within(PATIENCE, Promise.all([session.initialize(), session.specsManager.ready]));
  const unknown = !session.session?.kernel && (await session.startKernel());
  await within(PATIENCE, quiet(session));
  return unknown;
}

// What the page itself asks of a new kernel would say "idle" over a cell that runs.
async function quiet(session) {
  await session.session?.kernel?.info;
  let timer, heard;
  await new Promise((resolve) => {
    heard = () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, QUIET);
    };
    session.iopubMessage.connect(heard);
    heard();
  });
  session.iopubMessage.disconnect(heard);
}

// A wait for the server that never ends must not keep a cell from running.
function within(milliseconds, waited) {
  const enough = new Promise((resolve) => setTimeout(resolve, milliseconds));
  return Promise.race([waited.catch(console.error), enough]);
}
