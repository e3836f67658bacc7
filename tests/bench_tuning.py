"""What tuning costs here, against the libraries' own way and against full fine-tuning: part of `make bench`."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import SequentialSampler
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

from tests.bench_result import Result
from utils.adapters.methods import add_adapter, find_method, save_adapter, trained
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.training import memory
from utils.training.forward import forward_for, whole_model
from utils.training.loop import Training, TrainingConfig, evaluate, share_of_rate
from utils.training.records import Encoded, batches_by_length, encode, labels
from utils.training.tasks import TASKS, is_right

REVIEWS = TASKS["reviews"]
EPOCHS, BATCH_SIZE, SEED = 2, 8, 0
TOLERANCE = 0.02
"""How far the two validation losses may lie apart, as a share."""


@dataclass(frozen=True)
class Tuned:
    """One training: its seconds, without evaluation, the validation loss at the end, and the adapted model."""

    seconds: float
    validation_loss: float
    model: LanguageModel


def ours(base: LanguageModel, method: str, train: Sequence[Encoded], validation: Sequence[Encoded]) -> Tuned:
    """Train with the course's loop."""
    chosen = find_method(method)
    model = add_adapter(base, chosen, seed=SEED)
    config = TrainingConfig(EPOCHS, chosen.learning_rate, BATCH_SIZE, SEED)
    training = Training(model, forward_for(model, chosen), train, [], config)
    begun = time.perf_counter()
    for _ in training.run():
        pass
    seconds = time.perf_counter() - begun
    return Tuned(seconds, evaluate(model.model, whole_model(model), validation)[0], model)


class InOrder(Trainer):
    """transformers' trainer, which takes the records in the order given."""

    def _get_train_sampler(self, *_: object) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


def with_trainer(base: LanguageModel, train: Sequence[Encoded], validation: Sequence[Encoded]) -> Tuned:
    """Train with `transformers.Trainer` and peft: the same records, batches, order, rank, steps and rates."""
    method = find_method("lora")
    model = add_adapter(base, method, seed=SEED)
    seeds = [SEED * EPOCHS + epoch for epoch in range(EPOCHS)]
    order = [index for seed in seeds for batch in batches_by_length(train, BATCH_SIZE, seed=seed) for index in batch]
    rows = [{"input_ids": [*train[i].prompt, *train[i].completion], "labels": labels(train[i])} for i in order]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH_SIZE,
            num_train_epochs=1,
            max_grad_norm=1.0,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        weights = [weight for _, weight in trained(model.model)]
        optimizer = torch.optim.AdamW(weights, lr=method.learning_rate, weight_decay=0.0)
        steps = len(rows) // BATCH_SIZE
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_rate(step, steps))
        trainer = InOrder(
            model=model.model,
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorForSeq2Seq(base.tokenizer, padding=True),
            optimizers=(optimizer, schedule),
        )
        begun = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - begun
    return Tuned(seconds, evaluate(model.model, whole_model(model), validation)[0], model)


def examples_a_second(base: LanguageModel) -> list[Result]:
    """Compare LoRA and the fast preset with the trainer; the losses of the same training must agree."""
    train, validation = ([encode(base, r) for r in REVIEWS.records(split)] for split in ("train", "validation"))
    sides = {
        "lora": ours(base, "lora", train, validation),
        "trainer": with_trainer(base, train, validation),
        "lora-top": ours(base, "lora-top", train, validation),
    }
    losses = {name: side.validation_loss for name, side in sides.items()}
    if abs(losses["lora"] / losses["trainer"] - 1) > TOLERANCE:
        raise SystemExit(f"LoRA: the validation losses lie further apart than {TOLERANCE:.0%}: {losses}")
    said = {name: _accuracy(side.model) for name, side in sides.items()}
    print(f"validation loss {losses}, accuracy on the test reviews {said}", file=sys.stderr)
    speed = {name: round(EPOCHS * len(train) / side.seconds, 1) for name, side in sides.items()}
    names = {
        "lora": "LoRA training, against transformers.Trainer and peft",
        "lora-top": "fast preset lora-top, against both",
    }
    return [
        Result(name, speed[side], "examples/s", speed["trainer"], round(speed[side] / speed["trainer"], 2))
        for side, name in names.items()
    ]


def _accuracy(model: LanguageModel) -> float:
    records = REVIEWS.records("test")
    answers = REVIEWS.answers(model, records)
    return sum(map(is_right, answers, records)) / len(records)


def peak_memory() -> Result:
    """Compare LoRA's peak memory in a process of its own with full fine-tuning's, three steps each."""
    lora, full = (_peak_of(method) for method in ("lora", "full"))
    return Result("LoRA's peak memory, against full fine-tuning's", lora, "GB", full, round(full / lora, 2))


def adapter_file(base: LanguageModel) -> Result:
    """Compare the size of a LoRA adapter's file with that of the full checkpoint."""
    method = find_method("lora")
    with tempfile.TemporaryDirectory() as folder:
        save_adapter(add_adapter(base, method), method, Path(folder), base=base)
        adapter = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
    whole = base.model.get_memory_footprint() / 1e6
    return Result(
        "LoRA's file, against the full checkpoint", round(adapter, 2), "MB", round(whole, 1), round(whole / adapter, 2)
    )


def _peak_of(method: str) -> float:
    command = [sys.executable, "-m", "tests.bench_tuning", method]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(json.loads(done.stdout.splitlines()[-1]) / 1e9, 2)


def _three_steps(name: str) -> int:
    base = load_model(device="cpu")
    method = find_method(name)
    model = add_adapter(base, method)
    train = [encode(base, record) for record in TASKS["dialogues"].records("train")[:12]]
    training = Training(model, whole_model(model), train, [], TrainingConfig(1, 1e-5, 4))
    torch.manual_seed(SEED)
    for _ in training.run():
        pass
    return memory.peak_memory()


if __name__ == "__main__":
    print(_three_steps(sys.argv[1]))
