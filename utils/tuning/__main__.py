"""A tuning job from a shell: `python -m utils.tuning --name NAME --train-data FILE`."""

import argparse
import sys
import time

from utils.adapters.methods import METHODS
from utils.errors import CourseError
from utils.tuning.job import BATCH_SIZE, EPOCHS, TuningJob
from utils.tuning.states import Status

LOOK_AGAIN = 1.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    options = argparse.ArgumentParser(prog="python -m utils.tuning", description=__doc__.split(":")[0] + ".")
    add = options.add_argument
    add("--name", required=True, help="of the job and of the model in the registry")
    add("--train-data", help="JSON Lines with input_text and output_text: a path, or s3://, gs://, ...")
    add("--validation-data", help="the same, for records that are not trained on")
    add("--method", default="lora", choices=sorted(METHODS))
    add("--model", help="a model's name or folder; the course's own if left out")
    add("--epochs", type=int, default=EPOCHS, help="times that each record is seen")
    add("--learning-rate", type=float, help="the method's own if left out")
    add("--learning-rate-multiplier", type=float, default=1.0)
    add("--batch-size", type=int, default=BATCH_SIZE)
    add("--adapter-size", type=int, help="rank, width or virtual tokens; the method's own if left out")
    add("--seed", type=int, default=0)
    add("--anew", action="store_true", help="train again, though the same job has succeeded before")
    add("--status", action="store_true", help="say how far the newest job of this name is")
    add("--cancel", action="store_true", help="end the newest job of this name; it can be started again")
    add("--register", action="store_true", help="record in MLflow what it did not take of the newest job of this name")
    return options


def main(arguments: list[str]) -> int:
    """Run a command and return its exit status: 0, or 1 for a job that failed or cannot be started."""
    options = parser()
    asked = vars(options.parse_args(arguments))
    status, cancel, register, anew = (asked.pop(name) for name in ("status", "cancel", "register", "anew"))
    try:
        if status or cancel or register:
            job = TuningJob.find(asked["name"])
            if cancel:
                job.cancel()
            if register:
                job.register()
            print(_line(job))
            return 0
        if not asked["train_data"]:
            options.error("--train-data is needed to start a job")
        return _watch(TuningJob(**asked).start(anew=anew, quiet=True))
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1


def _watch(job: TuningJob) -> int:
    """Print every new state until the job ends; Ctrl-C leaves it running."""
    said = ""
    try:
        while True:
            state, line = job.state, _line(job)
            if line != said:
                print(line, flush=True)
            said = line
            if state.status.is_end:
                break
            time.sleep(LOOK_AGAIN)
    except KeyboardInterrupt:
        print(f"\nThe job goes on without this window. To end it: python -m utils.tuning --name {job.name} --cancel")
        return 0
    for note in state.notes:
        print(note)
    if state.cause:
        print(state.cause, file=sys.stderr)
    if state.status is Status.SUCCEEDED:
        registered = f"; in the registry it is {job.name}/{state.version}" if state.version else ""
        print(f"The adapter is in {job.started().adapter}{registered}.")
    return int(state.status is Status.FAILED)


def _line(job: TuningJob) -> str:
    state = job.state
    measured = job.started().measured()
    loss = f", loss {measured[-1].loss:.2f}" if measured else ""
    validated = [one.validation_loss for one in measured if one.validation_loss is not None]
    best = f", lowest validation loss {min(validated):.2f}" if validated else ""
    return f"{job.name}: {state.status}, step {state.step} of {state.steps}{loss}{best}, {state.seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
