"""The studio as a page of its own, for this machine only: `python -m utils.studio`. Voila serves its one cell."""

import argparse
import os
import secrets
import sys
import webbrowser
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Bool
from traitlets.config import Config
from voila.app import Voila

from utils.processes import module_environment

HERE = Path(__file__).parent
PAGE = nbformat.v4.new_notebook(
    cells=[nbformat.v4.new_code_cell("from utils import studio\n\nstudio.open()")],
    metadata={
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "title": "Generative AI Studio",
    },
)
"""The notebook that Voila runs for each who opens the page."""
HOST, PORT = "127.0.0.1", 8866
EXTENSIONS = ["anywidget", "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]
"""What the page takes of all that JupyterLab has: what draws widgets."""
IDLE_SECONDS, LOOK_SECONDS = 600, 60
"""After how long a kernel ends whose page is gone without a word, and how often that is looked for."""


class Kernels(AsyncMappingKernelManager):
    """Kernels that begin in the folder in which the studio was started, not in its notebook's."""

    def cwd_for_path(self, path: str, **kwargs: object) -> str:
        """Return that folder."""
        return os.getcwd()


class StudioServer(Voila):
    """Voila with one page, which only who has the token opens."""

    shown = Bool(help="whether a browser opens the page")

    def launch_browser(self) -> None:
        """Say where the page is, now that it is served, and open it."""
        address = f"http://{HOST}:{self.port}/?token={self.token}"
        print(f"The studio is at {address} until you press Ctrl+C.", flush=True)
        if self.shown:
            webbrowser.open(address)


def config(port: int, notebook: Path) -> Config:
    """Return Voila's settings; a port that is taken gives way to the next one that is free."""
    return Config(
        Voila={
            "ip": HOST,
            "port": port,
            "token": secrets.token_hex(16),
            "notebook_path": str(notebook),
            "root_dir": str(notebook.parent),
            "log_level": "ERROR",
        },
        VoilaConfiguration={
            "template": "studio",
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "extension_allowlist": EXTENSIONS,
            "file_allowlist": [],
            "multi_kernel_manager_class": Kernels,
        },
        MappingKernelManager={"cull_idle_timeout": IDLE_SECONDS, "cull_interval": LOOK_SECONDS},
    )


def main(arguments: list[str]) -> None:
    """Serve the page until Ctrl+C; what was started from it, jobs and endpoints, goes on."""
    options = argparse.ArgumentParser(prog="python -m utils.studio", description="The Generative AI Studio as a page.")
    options.add_argument("--port", type=int, default=PORT, help="the next free one is taken where it is not free")
    options.add_argument("--no-browser", action="store_true", help="say the address and open no browser")
    asked = options.parse_args(arguments)
    os.environ |= module_environment() | {"JUPYTER_PATH": _with_our_template()}
    with TemporaryDirectory() as folder:
        notebook = Path(folder) / "studio.ipynb"
        nbformat.write(PAGE, notebook)
        server = StudioServer.instance(config=config(asked.port, notebook), shown=not asked.no_browser)
        server.initialize([])
        server.start()


def _with_our_template() -> str:
    """Return the folders in which Jupyter looks for templates, the package's own the first."""
    return os.pathsep.join(filter(None, [str(HERE), os.environ.get("JUPYTER_PATH")]))


if __name__ == "__main__":
    main(sys.argv[1:])
