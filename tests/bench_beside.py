"""Work beside other work on the same cores, with waiting threads that sleep and with threads that spin: `make bench`.

`utils` sets OMP_WAIT_POLICY=passive before torch is loaded. The other side imports torch
first, so that its threads wait as torch's own OpenMP has them do.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench_result import Result

PASSIVE, DEFAULT = "import utils", "import torch"
BUSY = "print('begun', flush=True)\nwhile True: pass"
TOKENS, STEPS = 60, 12

GENERATE = f"""
import json, time
from utils.models import load_model
model = load_model(device="cpu")
model.generate("The garden", max_new_tokens=4)
begun = time.perf_counter()
text = model.generate("The garden was full of beautiful", max_new_tokens={TOKENS}, min_new_tokens={TOKENS})
print(json.dumps([time.perf_counter() - begun, text]))
"""
NOTEBOOK = """
from utils.models import load_model
model = load_model(device="cpu")
print("begun", flush=True)
while True: model.generate("The garden was full of beautiful", max_new_tokens=60)
"""
TRAIN = f"""
import itertools, json
from utils.adapters import add_adapter, find_method
from utils.models import load_model
from utils.training import TASKS, Training, TrainingConfig, encode
from utils.training.forward import forward_for
base, method, task = load_model(device="cpu"), find_method("lora-top"), TASKS["reviews"]
model = add_adapter(base, method)
train = [encode(base, record) for record in task.records("train")[: {STEPS} * task.batch_size]]
training = Training(model, forward_for(model, method), train, [], TrainingConfig(1, 1e-3, task.batch_size))
measured = list(training.run())
print(json.dumps([measured[-1].seconds - measured[1].seconds, [round(one.loss, 2) for one in measured]]))
"""


def generating() -> Result:
    """Generate beside a process that never rests: tokens a second."""
    name = "generate beside a busy process, waiting threads asleep, against torch's default"
    return _compare(name, GENERATE, beside=BUSY, units=TOKENS, unit="tokens/s")


def tuning() -> Result:
    """Train an adapter beside a notebook that generates: steps a second."""
    name = "tuning beside a notebook that generates, waiting threads asleep, against torch's default"
    return _compare(name, TRAIN, beside=NOTEBOOK, units=STEPS - 2, unit="steps/s")


def _compare(name: str, work: str, *, beside: str, units: int, unit: str) -> Result:
    (ours, answer), (theirs, expected) = (_timed(work, beside, first) for first in (PASSIVE, DEFAULT))
    if answer != expected:
        raise SystemExit(f"{name}: the two sides gave different answers")
    return Result(name, round(units / ours, 2), unit, round(units / theirs, 2), round(theirs / ours, 1))


def _timed(work: str, beside: str, first: str) -> tuple[float, object]:
    with _running(f"{first}\n{beside}"):
        done = subprocess.run(_python(f"{first}\n{work}"), env=_environment(), stdout=subprocess.PIPE, check=True)
    seconds, answer = json.loads(done.stdout.splitlines()[-1])
    return seconds, answer


@contextmanager
def _running(code: str) -> Iterator[None]:
    """Run code in another process until the block ends, from when it says that it has begun."""
    with subprocess.Popen(_python(code), env=_environment(), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.kill()


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
