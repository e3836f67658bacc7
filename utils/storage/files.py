"""Files that are whole or not there: built once, written under another name and renamed; a full disk in words."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from utils.errors import CacheUnusable, DiskFull


def build_once(path: Path, build: Callable[[Path], None], *, size: int) -> Path:
    """Return `path`, made by `build(temporary_path)` and renamed if it is not there yet.

    Two processes that ask at once wait for each other and build once; what an
    interrupted build left behind is removed by the next one. `size` is the free space
    in bytes that the build needs. Raises DiskFull, CacheUnusable.
    """
    if path.exists():
        return path
    with disk_errors_explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(path.name + ".lock")):
            if path.exists():
                return path
            for left_behind in path.parent.glob(path.name + ".tmp-*"):
                shutil.rmtree(left_behind, ignore_errors=True)
            require_space(path.parent, size)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name + ".tmp-") as folder:
                new = Path(folder) / path.name
                build(new)
                os.replace(new, path)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that nobody reads half of it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf8")
        os.replace(new, path)


def require_space(folder: Path, size: int) -> None:
    """Raise DiskFull unless `folder` has `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFull(
            f"The course needs {size / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free: "
            "free some space, or set COURSE_CACHE to a folder on a larger disk, and run this again."
        )


@contextmanager
def disk_errors_explained(path: Path) -> Iterator[None]:
    """Turn a full disk into DiskFull and a folder that cannot be written into CacheUnusable.

    Libraries in Rust report a full disk as an exception of their own, so the text counts, too.
    """
    try:
        yield
    except Exception as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left on device" in str(error):
            raise DiskFull(
                f"The disk became full while {path.name} was being written to {path.parent}: nothing half "
                "written was kept; free some space, or set COURSE_CACHE to another folder, and run this again."
            ) from None
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EPERM):
            raise CacheUnusable(
                f"The folder {path.parent} cannot be written ({error.strerror}): set COURSE_CACHE to a folder of "
                "your own and run this again."
            ) from None
        raise
