"""The endpoint under load, beside itself with one client and beside `transformers serve`: `make bench`.

Every client of a measurement asks in a stream, one question after the other. The same questions get the same
answers on both sides, or no number is printed.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import httpx
import psutil
import torch
from openai import APIStatusError, OpenAI

from tests.bench_result import Result
from tests.serving.conftest import process
from utils.adapters.methods import add_adapter, find_method, save_adapter
from utils.models.language_model import LanguageModel
from utils.registry.versions import register as register_version
from utils.storage.checkpoints import default_checkpoint

ANIMALS = (
    "cat",
    "dog",
    "horse",
    "fox",
    "bear",
    "mouse",
    "lion",
    "bird",
    "fish",
    "whale",
    "frog",
    "wolf",
    "goat",
    "duck",
)
BEGINNINGS = ("A story about", "Once upon a time,", "Yesterday I saw")
PROMPTS = [f"{begin} the {animal}" for begin in BEGINNINGS for animal in ANIMALS][:32]
TOKENS = 32
ADAPTERS = 8
SOAK_SECONDS = 300
PORT = 8767
"""Where `transformers serve` listens."""
QUIET = ("--log", os.devnull)


@dataclass(frozen=True)
class Load:
    """What clients measured: the texts by prompt, tokens a second of all together, seconds to the first token."""

    texts: dict[tuple[str, str], str]
    rate: float
    first: float


def results(model: LanguageModel) -> list[Result]:
    """Measure one endpoint on the course's model, and `transformers serve` after it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_TUNING"] = folder
        try:
            names = [register(model, number, Path(folder)) for number in range(ADAPTERS)]
            with process(*QUIET) as alone:
                ask(alone.url, model.name, PROMPTS[:2], clients=2)
                found = [*under_load(alone.url, model)]
            with process(*QUIET, *holding(names)) as served:
                found += [memory(served, names), mixed(served.url, names[:4])]
                found += [soak(served.url, [model.name, *names[:4]])]
        finally:
            del os.environ["COURSE_TUNING"]
    return found + beside_transformers(model)


def under_load(url: str, model: LanguageModel) -> Generator[Result]:
    """Compare clients at once with one at a time, through the same server."""
    single = ask(url, model.name, PROMPTS, clients=1)
    for clients in (1, 8, 32):
        found = single if clients == 1 else ask(url, model.name, PROMPTS, clients=clients)
        same(f"{clients} clients", found, single)
        yield rate(f"endpoint, {clients} clients, against one request at a time", found, single)
        yield first(f"endpoint, time to first token with {clients} clients, against one", found, single)


def beside_transformers(model: LanguageModel) -> list[Result]:
    """Compare with the library's own server: the same weights, the same questions."""
    found, folder = [], str(default_checkpoint())
    for clients, prompts in ((1, PROMPTS[:4]), (8, PROMPTS[:16])):
        with process(*QUIET) as served:
            ask(served.url, model.name, prompts[:1], clients=1)
            ours = ask(served.url, model.name, prompts, clients=clients)
        with transformers_serve(folder) as url:
            ask(url, folder, prompts[:1], clients=1)
            theirs = ask(url, folder, prompts, clients=clients)
        same("transformers serve", ours, theirs)
        found += [
            rate(f"endpoint, {clients} clients, against transformers serve", ours, theirs),
            first(f"endpoint, time to first token, {clients} clients, against transformers serve", ours, theirs),
        ]
    return found


def mixed(url: str, names: Sequence[str]) -> Result:
    """Compare four adapters in a batch with one of them alone."""
    one = ask(url, names[0], PROMPTS[:16], clients=8)
    several = ask(url, [*islice(cycle(names), 16)], PROMPTS[:16], clients=8)
    alike = {key: text for key, text in several.texts.items() if key in one.texts}
    if alike != {key: one.texts[key] for key in alike} or len(set(several.texts.values())) < 8:
        raise SystemExit("adapters in one batch: not what each writes alone")
    return rate("endpoint, four adapters mixed, against one alone", several, one)


def memory(served, names: Sequence[str]) -> Result:
    """Compare the memory that an adapter takes with 5 MB: what eight take more than one, after the same questions."""
    with process(*QUIET, *holding(names[:1])) as single:
        least = [resident(each, names[0]) for each in (single, served)]
    each = (least[1] - least[0]) / 1e6 / (len(names) - 1)
    if each <= 0:
        raise SystemExit(f"endpoint, memory of an adapter: {each:.2f} MB, which is noise; measure again")
    return Result("endpoint, memory of an adapter, against 5 MB", round(each, 2), "MB", 5.0, round(5 / each, 1))


def holding(names: Sequence[str]) -> list[str]:
    return [f"--adapter={name}" for name in names]


def resident(served, name: str) -> int:
    ask(served.url, name, PROMPTS[:2], clients=2)
    return psutil.Process(served.process.pid).memory_info().rss


def soak(url: str, names: Sequence[str]) -> Result:
    """Let 32 clients ask for minutes and count: each request is answered or refused, and none lost."""
    until, counts = time.monotonic() + SOAK_SECONDS, Counter[str]()

    def client(number: int) -> None:
        with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120) as asking:
            for turn in range(10**6):
                if time.monotonic() > until:
                    return
                counts["sent"] += 1
                prompt = PROMPTS[(number + turn) % len(PROMPTS)]
                try:
                    asking.completions.create(model=names[turn % len(names)], prompt=prompt, max_tokens=8 + turn % 24)
                    counts["answered"] += 1
                except APIStatusError as error:
                    counts[f"refused {error.status_code}"] += 1

    with ThreadPoolExecutor(32) as clients:
        list(clients.map(client, range(32)))
    lost = counts["sent"] - sum(number for name, number in counts.items() if name != "sent")
    said = ", ".join(f"{number} {name}" for name, number in counts.items())
    if lost or counts.keys() - {"sent", "answered", "refused 429"}:
        raise SystemExit(f"endpoint, 32 clients for {SOAK_SECONDS} s: {said}, {lost} lost")
    sent = counts["sent"]
    return Result(f"endpoint, 32 clients for {SOAK_SECONDS} s: {said}, none lost", sent, "requests", sent, 1.0)


def ask(url: str, models: str | Sequence[str], prompts: Sequence[str], *, clients: int) -> Load:
    """Let clients share the questions, and return what they saw."""
    names = [models] * len(prompts) if isinstance(models, str) else models
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client, ThreadPoolExecutor(clients) as pool:
        begun = time.perf_counter()
        found = list(pool.map(lambda name, prompt: answer(client, name, prompt), names, prompts))
        seconds = time.perf_counter() - begun
    texts = {(name, prompt): text for name, prompt, (text, _, _) in zip(names, prompts, found, strict=True)}
    tokens = sum(count for _, count, _ in found)
    return Load(texts, tokens / seconds, median(first for *_, first in found))


def answer(client: OpenAI, name: str, prompt: str) -> tuple[str, int, float]:
    """Return a completion's text, its tokens, and the seconds to the first of them."""
    begun, first, text, tokens = time.perf_counter(), 0.0, "", 0
    for chunk in client.completions.create(
        model=name, prompt=prompt, max_tokens=TOKENS, temperature=0, stream=True, stream_options={"include_usage": True}
    ):
        first = first or time.perf_counter() - begun
        text += "".join(choice.text or "" for choice in chunk.choices)
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return text, tokens, first


def same(name: str, ours: Load, theirs: Load) -> None:
    if [*ours.texts.values()] != [*theirs.texts.values()]:
        raise SystemExit(f"{name}: the two sides gave different answers")


def rate(name: str, ours: Load, baseline: Load) -> Result:
    return Result(name, round(ours.rate, 1), "tokens/s", round(baseline.rate, 1), round(ours.rate / baseline.rate, 2))


def first(name: str, ours: Load, baseline: Load) -> Result:
    return Result(name, round(ours.first, 3), "s", round(baseline.first, 3), round(baseline.first / ours.first, 2))


def register(model: LanguageModel, number: int, folder: Path) -> str:
    """Register a LoRA of the usual size that changes what is written, and return its name."""
    method = find_method("lora")
    adapted = add_adapter(model, method, seed=number)
    noise = torch.Generator().manual_seed(number)
    for name, weight in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.05, generator=noise)
    saved = folder / f"adapter-{number}"
    save_adapter(adapted, method, saved, base=model)
    return register_version(f"bench-{number}", saved, parameters={}, metrics={}).name


@contextmanager
def transformers_serve(folder: str) -> Generator[str]:
    """Run the server of the pinned transformers on a folder's model until the block ends."""
    transformers = str(Path(sys.executable).with_name("transformers"))
    command = [transformers, "serve", folder, "--device", "cpu", "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as served:
        try:
            for _ in range(240):
                try:
                    httpx.get(f"http://127.0.0.1:{PORT}/health").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{PORT}/v1"
        finally:
            served.kill()
