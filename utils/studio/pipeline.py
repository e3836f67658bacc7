"""From data to a deployed model: lint, tune, evaluate, promote, deploy, smoke test, each step recorded.

    python -m utils.studio.pipeline pipeline.yaml

A step that has succeeded with the same inputs is taken up when the pipeline is started again; one that failed resumes,
a tuning job from its checkpoint. The first bad step ends the run with a sentence and exit status 1.
"""

import _thread
import argparse
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from utils.errors import CourseError
from utils.progress import done_so_far
from utils.studio.pipeline_file import Settings, read
from utils.studio.pipeline_records import Record, RunFolder, Status, now, runs, taken_up
from utils.studio.pipeline_steps import STEPS, Step, Work, identity

LOOK_AGAIN = 0.5
"""Seconds between two looks at how far a step is, and whether the run shall end."""


def run(settings: Settings) -> list[Record]:
    """Run a pipeline, or what is left of it, printing a line for every step, and return the records of all steps.

    Raises TuningError while it runs elsewhere, KeyboardInterrupt where it was cancelled.
    """
    asked = identity(settings)
    with taken_up(settings.name, asked, settings.text) as folder:
        print(f"Pipeline {settings.name}, run {folder.path.name}", flush=True)
        records = {record.step: record for record in folder.records()}
        work = Work(settings, {}, {name: record.result for name, record in records.items()})
        for number, step in enumerate(STEPS, 1):
            place = f"[{number}/{len(STEPS)}] {step.name}"
            record = _done(folder, step, work, asked, records[step.name], place)
            if record.status is not Status.SUCCEEDED or record.result.get("promoted") is False:
                left = ", ".join(later.name for later in STEPS[number:])
                print(f"Not run: {left or 'none'}.", flush=True)
                break
            work.results[step.name] = record.result
        return folder.records()


def _done(folder: RunFolder, step: Step, work: Work, asked: str, before: Record, place: str) -> Record:
    """Take up a step that has succeeded before, or do it; its record is on disk at every moment."""
    began, record = time.monotonic(), Record(step.name, Status.RUNNING, began=now())
    try:
        record = replace(record, inputs=step.inputs(work, asked))
        known = before.status is Status.SUCCEEDED and before.inputs == record.inputs
        if known and step.holds(work, before.result):
            print(f"{place}: succeeded before. {before.said}", flush=True)
            return before
        folder.forget_after(step.name)
        folder.write(record)
        print(f"{place}: running", flush=True)
        with _watched(folder, record):
            result, said = step.do(work)
        record = replace(record, status=Status.SUCCEEDED, result=result, said=said)
    except KeyboardInterrupt:
        said = "Cancelled: started again, the pipeline goes on from here."
        folder.write(replace(record, status=Status.CANCELLED, said=said, seconds=time.monotonic() - began))
        raise
    except CourseError as error:
        record = replace(record, status=Status.FAILED, said=str(error))
    except Exception as error:
        traceback.print_exc()
        said = f"It stopped with {type(error).__name__} ({error}): please report this, with all that was printed."
        record = replace(record, status=Status.FAILED, said=said)
    record = replace(record, seconds=time.monotonic() - began)
    folder.write(record)
    print(f"{place}: {record.status} after {record.seconds:.0f} s. {record.said}", flush=True)
    return record


@contextmanager
def _watched(folder: RunFolder, record: Record) -> Generator[None]:
    """Keep in a step's record how far it is, and end it when the run shall be cancelled."""
    ended, began = threading.Event(), time.monotonic()

    def watch() -> None:
        while not ended.wait(LOOK_AGAIN):
            folder.write(replace(record, said=done_so_far(), seconds=time.monotonic() - began))
            if folder.is_cancel_asked:
                _thread.interrupt_main()
                return

    watcher = threading.Thread(target=watch, name="pipeline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = argparse.ArgumentParser(
        prog="python -m utils.studio.pipeline", description=(__doc__ or "").split("\n")[0]
    )
    options.add_argument("file", help="pipeline.yaml: what is tuned, on what it is measured, what is deployed")
    which = options.add_mutually_exclusive_group()
    which.add_argument("--check", action="store_true", help="check the file and run nothing")
    which.add_argument("--status", action="store_true", help="print the steps of the newest run")
    which.add_argument("--cancel", action="store_true", help="end the run; started again, it goes on")
    return options


def main(arguments: list[str]) -> int:
    """Run a command and return its exit status: 0, or 1 for a file that is wrong or a step that did not succeed."""
    asked = parser().parse_args(arguments)
    try:
        settings = read(asked.file)
        if asked.check:
            print(f"{asked.file} can be run.")
            return 0
        if asked.status or asked.cancel:
            return _told(settings.name, cancel=asked.cancel)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what runs in the background
        records = run(settings)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Cancelled. To go on: python -m utils.studio.pipeline {asked.file}", file=sys.stderr)
        return 1
    return int(any(record.status is Status.FAILED for record in records))


def _told(name: str, *, cancel: bool) -> int:
    """Print the steps of the newest run, which may be cancelled first."""
    known = runs(name)
    if not known:
        print(f"The pipeline {name!r} was never run.", file=sys.stderr)
        return 1
    if cancel and known[-1].is_running:
        known[-1].ask_to_cancel()
    for record in known[-1].records():
        print(f"{record.step}: {record.status}. {record.said}".strip())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
