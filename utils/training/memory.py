"""How much memory this process has, and has had at most."""

import sys

import psutil


def peak_memory() -> int:
    """Return the most memory that this process has held so far, in bytes."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def private_memory() -> int:
    """Return the bytes that this process alone has: all but mapped files, such as weights, which processes share."""
    process = psutil.Process()
    if sys.platform != "linux":
        return process.memory_full_info().uss
    memory = process.memory_info()
    return memory.rss - memory.shared
