import { endWithNotebook, keepMetadata, readyWithKernel, tellOfEnd } from "./kernels.js";
import { keepPlace, landLinks, noteHands } from "./places.js";
import { executor, restartWithout, startWithFirstRun } from "./running.js";
import { showStored } from "./stored.js";

const ID = "generative-ai-course";

// What JupyterLab activates; `take` gives one of its own packages.
export async function plugins(take) {
  const { INotebookCellExecutor, INotebookTracker, NotebookPanel, runCell } = await take("@jupyterlab/notebook");
  const { IDocumentManager } = await take("@jupyterlab/docmanager");
  const { ISessionContextDialogs, Notification } = await take("@jupyterlab/apputils");
  return [
    {
      id: `${ID}:running`,
      autoStart: true,
      provides: INotebookCellExecutor,
      activate: () => executor(runCell),
    },
    {
      id: `${ID}:starting`,
      autoStart: true,
      requires: [IDocumentManager, ISessionContextDialogs],
      activate: (app, documents, dialogs) => {
        startWithFirstRun(documents.registry);
        restartWithout(dialogs);
      },
    },
    {
      id: `${ID}:reading`,
      autoStart: true,
      requires: [INotebookTracker],
      activate: (app, notebooks) => {
        landLinks(NotebookPanel);
        notebooks.widgetAdded.connect((_, panel) => {
          keepMetadata(panel);
          showStored(panel);
          readyWithKernel(panel.sessionContext);
          keepPlace(panel);
          noteHands(panel);
          endWithNotebook(panel.sessionContext);
          tellOfEnd(panel.sessionContext, Notification);
        });
      },
    },
  ];
}
