"""Files that are whole or not there: built once, written under another name and renamed; a full disk in words."""

import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from utils.errors import CacheUnusable, DiskFull
from utils.storage.places import owner

DISK_FULL = "No space left on device"
NOT_WRITABLE = (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EPERM)
REPLACE_SECONDS = 5.0
"""How long another process may read a file that is to be replaced."""


def build_once(path: Path, build: Callable[[Path], None], *, size: int) -> Path:
    """Return `path`, made by `build(temporary_path)` and renamed if it is not there yet.

    Two processes that ask at once wait for each other and build once; what an
    interrupted build left behind is removed by the next one. `size` is the free space
    in bytes that the build needs. Raises DiskFull, CacheUnusable.
    """
    with disk_errors_explained(path):
        if path.exists():
            return path
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
                replace(new, path)
    return path


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """Give a temporary path; the file or folder written there takes the place of `path` when the block ends well."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        yield new
        if path.is_dir():
            shutil.rmtree(path)
        replace(new, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file so that nobody reads half of it."""
    with written_whole(path) as new:
        new.write_text(text, encoding="utf8")


def replace(new: Path, path: Path) -> None:
    """Rename `new` to `path`; Windows refuses while another process reads `path`, so it is tried again for a while."""
    give_up = time.monotonic() + REPLACE_SECONDS
    while True:
        try:
            os.replace(new, path)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal (0.7 s for 500 MB)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: Exception) -> bool:
    """Whether an exception says that the disk is full; libraries in Rust raise kinds of their own."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or DISK_FULL in str(error)


def require_space(folder: Path, size: int) -> None:
    """Raise DiskFull unless `folder` has `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFull(
            f"The course needs {size / 1e9:.1f} GB in {folder}, and {free / 1e9:.1f} GB are free: "
            f"free some space, or {_elsewhere(folder)} on a larger disk, and run this again."
        )


@contextmanager
def disk_errors_explained(path: Path) -> Generator[None]:
    """Turn a full disk into DiskFull and a folder that cannot be written into CacheUnusable."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise DiskFull(
                f"The disk became full while {path.name} was being written to {path.parent}: nothing half "
                f"written was kept; free some space, or {_elsewhere(path)}, and run this again."
            ) from None
        if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
            raise CacheUnusable(
                f"The folder {path.parent} cannot be written ({error.strerror}): {_elsewhere(path)} of your own and "
                "run this again."
            ) from None
        raise


def _elsewhere(path: Path) -> str:
    """Return what to do to have a path's folder elsewhere: the variable that moves it and nothing more."""
    variable = owner(path)
    return f"set {variable} to a folder" if variable else "take a folder"
