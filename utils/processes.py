"""Processes of the course's own: a module run by this Python, whatever lies in the learner's folder."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
NEW_PROCESS_GROUP = 0x00000200
"""`subprocess.CREATE_NEW_PROCESS_GROUP`, which only Windows has."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module without the working folder on its path (`-P`).

    A learner's own `utils.py` or `random.py` in that folder is then not imported.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment() -> dict[str, str]:
    """Return the environment in which such a command finds this package, installed or not."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, given)])}


def start_apart(module: str, *arguments: str, **options: Any) -> subprocess.Popen:
    """Start a module in a process that outlives this one and hears none of its interrupts; options as for `Popen`.

    Nothing stands in its standard input unless an option says so.
    """
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": NEW_PROCESS_GROUP}
    command = module_command(module, *arguments)
    options = {"stdin": subprocess.DEVNULL, "env": module_environment()} | apart | options
    return subprocess.Popen(command, **options)


def known_by(pid: int) -> tuple[int, float]:
    """Return what a running process is found again by: its id, and when it began, as ids are given anew."""
    return pid, psutil.Process(pid).create_time()


def find_process(pid: int, began: float) -> psutil.Process | None:
    """Return the process that `known_by` named, None once it has ended."""
    try:
        process = psutil.Process(pid)
        alive = process.create_time() == began and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, TypeError, ValueError, OverflowError):
        return None
    return process if alive else None
