"""What a kept result depends on besides its settings: code, versions, threads, machine."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from utils.storage.results import code_hash

PROCESSORS = Path("/proc/cpuinfo")


def made_by(module: str) -> dict[str, object]:
    """Return hash of the code of a module and all behind it, threads, processor kernels, torch build."""
    return {
        "code": code_hash(module),
        "threads": torch.get_num_threads(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}


def machine() -> dict[str, object]:
    """Return this machine's processor, its cores and its memory in bytes; nothing that names it."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory": psutil.virtual_memory().total,
    }


def _processor() -> str:
    lines = PROCESSORS.read_text(encoding="utf8").splitlines() if PROCESSORS.exists() else []
    named = (line.split(":", maxsplit=1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
