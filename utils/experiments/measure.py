"""What one tuning method costs on this machine: `python -m utils.experiments.measure METHOD` prints it as JSON.

A method is measured in a process of its own, so that its peak memory is its own.
"""

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from utils.adapters.methods import add_adapter, find_method, save_adapter
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.processes import module_command, module_environment
from utils.training.forward import forward_for
from utils.training.loop import Training, TrainingConfig
from utils.training.memory import peak_memory
from utils.training.records import encode
from utils.training.tasks import TASKS

STEPS, QUERIES, NEW_TOKENS, REPEATS = 7, 4, 16, 3


def measure(name: str) -> dict[str, float]:
    """Return step_seconds, peak_bytes, inference_ratio and file_bytes of a method on the course's model.

    A step is one of 8 reviews, the median of all but the first; the inference ratio is
    the time of greedy completions with the adapter, unmerged, by the time without.
    """
    base, method = load_model(device="cpu"), find_method(name)
    model = add_adapter(base, method)
    task = TASKS["reviews"]
    train = [encode(base, record) for record in task.records("train")[: STEPS * task.batch_size]]
    training = Training(model, forward_for(model, method), train, [], TrainingConfig(1, 1e-6, task.batch_size))
    seconds = [measured.seconds for measured in training.run()]
    steps = [later - earlier for earlier, later in itertools.pairwise(seconds)]
    peak = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(model, method, Path(folder), base=base)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    prompts = [record.input_text for record in task.records("test")[:QUERIES]]
    adapted, plain = (_fastest(lambda one=one: _complete(one, prompts)) for one in (model, base))
    return {
        "step_seconds": statistics.median(steps),
        "peak_bytes": peak,
        "inference_ratio": adapted / plain,
        "file_bytes": size,
    }


def measure_apart(name: str) -> dict[str, float]:
    """Return `measure(name)`, from a process of its own."""
    command = module_command("utils.experiments.measure", name)
    done = subprocess.run(command, env=module_environment(), capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _complete(model: LanguageModel, prompts: list[str]) -> None:
    for prompt in prompts:
        model.generate(prompt, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)


def _fastest(work: Callable[[], None]) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
