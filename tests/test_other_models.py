"""Every lesson and every lab, from its first cell to its last, on models of other kinds than the course's own."""

import ast
import threading
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import nbformat
import pandas as pd
import pytest
from matplotlib import pyplot
from nbformat import NotebookNode
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from tests.masters import code_cells, notebook
from tests.tiny_models import KINDS, byte_pairs, save, tiny_model
from utils import before_transformers
from utils.authoring import MASTERS, ROOT, labs_in, lessons_in
from utils.datasets import TextToText, load_dialogues, load_questions, load_reviews
from utils.datasets.records import to_json_lines
from utils.errors import UnsupportedSetting
from utils.training import dialogue_record, review_record
from utils.tuning.worker import work
from utils.widgets.adapter_dial import AdapterDial
from utils.widgets.playground import Playground
from utils.widgets.sampler import Sampler
from utils.widgets.view import told_in

pytestmark = [pytest.mark.slow, pytest.mark.process]

NOTEBOOKS = [*lessons_in(ROOT / "notebooks"), *labs_in(MASTERS)]
VOCABULARY = 2048
SPECIAL = ["<pad>", "</s>", "<unk>", "<s>"]
WINDOWS = {"gpt2": 1024, "bart": 1024, "opt": 2048, "qwen2": 32_768}
"""As many positions as well-known models of a kind have; 8,192 for the others."""

LOADS = "load_model"
"""What the first cell that has to do with a model names: what stands above it is the same for every kind."""

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
CHATTING = ("llama", "gemma3", "qwen3")
AROUND = {"llama": "<s> $A", "gemma3": "<s> $A", "opt": "<s> $A", "bart": "<s> $A </s>", "t5": "$A </s>"}
"""What a tokenizer of a kind writes around a text; the others add nothing."""


@pytest.fixture(scope="module")
def pairs() -> Tokenizer:
    """A tokenizer that has learnt the course's own texts, so that its prompts are no longer than a real one's."""
    records = [*map(review_record, load_reviews("train")), *map(dialogue_record, load_dialogues("train"))]
    texts = [f"{record.input_text} {record.output_text}" for record in [*records, *load_questions("train")]]
    return byte_pairs(texts, vocabulary=VOCABULARY, special=SPECIAL)


def tokenizer_of(kind: str, pairs: Tokenizer) -> PreTrainedTokenizerFast:
    own = Tokenizer.from_str(pairs.to_str())
    if kind in AROUND:
        known = [(token, own.token_to_id(token)) for token in ("<s>", "</s>")]
        own.post_processor = TemplateProcessing(single=AROUND[kind], special_tokens=known)
    return PreTrainedTokenizerFast(
        tokenizer_object=own,
        bos_token="<s>" if "<s>" in AROUND.get(kind, "") else None,
        eos_token="</s>",
        unk_token="<unk>",
        pad_token=None if kind == "gpt2" else "<pad>",
        chat_template=CHAT if kind in CHATTING else None,
    )


@pytest.fixture(scope="module", params=KINDS)
def other_model(request, pairs, tmp_path_factory) -> Path:
    kind = request.param
    model = tiny_model(kind, vocabulary=VOCABULARY, window=WINDOWS.get(kind, 8192))
    return save(tmp_path_factory.mktemp("other") / kind, model, tokenizer_of(kind, pairs))


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where all of these notebooks keep their jobs: a store is made once."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def above_the_model() -> Callable[[Path], dict[str, Any]]:
    """Return a function that gives a notebook's names at the cell that loads the model; what is above runs once."""
    known: dict[Path, dict[str, Any]] = {}

    def names(notebook: Path) -> dict[str, Any]:
        if notebook not in known:
            with pytest.MonkeyPatch.context() as environment:
                environment.delenv("COURSE_MODEL")  # the default is refused, as this test has no such marker
                known[notebook] = run(above(code_cells(notebook)), {})
        return dict(known[notebook])

    return names


@pytest.fixture(scope="module")
def seconds_table() -> Callable[..., pd.DataFrame]:
    """The times of lesson 02's networks, which are the same for every kind: measured once."""
    measured: list[pd.DataFrame] = []

    def table(*given: Any) -> pd.DataFrame:
        if not measured:
            measured.append(before_transformers.timing.seconds_table(*given))
        return measured[0].copy()

    return table


@pytest.fixture
def failures(other_model, kept, seconds_table, monkeypatch):
    """A learner's environment with another model; what fails in a thread or is told in a widget stands in the list.

    Jobs train in this process.
    """
    monkeypatch.setenv("COURSE_MODEL", str(other_model))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setenv("COURSE_TUNING", str(kept))
    monkeypatch.setattr("utils.tuning.job._spawn", work)
    monkeypatch.setattr(before_transformers, "seconds_table", seconds_table)
    found: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    monkeypatch.setattr("utils.widgets.view.alert", lambda text: found.append(text) or text)
    yield found
    pyplot.close("all")


def above(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the cells that have nothing to do with a model yet."""
    return list(takewhile(lambda cell: LOADS not in cell.source, cells))


def run(cells: list[NotebookNode], names: dict[str, Any]) -> dict[str, Any]:
    """Run cells one after the other, show what stands last in each, as Jupyter does, and return all names."""
    for cell in cells:
        *before, last = ast.parse(cell.source).body
        shown = isinstance(last, ast.Expr)
        exec(compile(ast.Module(before if shown else [*before, last], []), cell.id, "exec"), names)
        if shown:
            show(eval(compile(ast.Expression(last.value), cell.id, "eval"), names))
    return names


def show(value: Any) -> None:
    if value is not None:
        repr(value)
        getattr(value, "_repr_html_", str)()


def pressed(box: widgets.Box) -> None:
    for child in box.children:
        if isinstance(child, widgets.Button):
            child.click()


USES: Mapping[type, Callable[[Any], object]] = {
    Playground: Playground.generate,
    Sampler: lambda sampler: setattr(sampler.temperature, "value", 1.3),
    AdapterDial: lambda dial: setattr(dial.scale, "value", 0.5),
    widgets.VBox: pressed,
}
"""What a hand does with a notebook's widgets."""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(notebook, failures, above_the_model):
    cells = code_cells(notebook)
    for thing in run(cells[len(above(cells)) :], above_the_model(notebook)).values():
        USES.get(type(thing), lambda _: None)(thing)
    assert failures == []


@pytest.fixture
def own_task(tmp_path) -> Path:
    """A learner's own folder for Lab 5, with no more than its pipeline's file must say."""
    for split, count in {"train": 44, "validation": 10, "test": 10}.items():
        records = [TextToText(f"Say {n} in {split}:", f" {n}") for n in range(count)]
        (tmp_path / f"{split}.jsonl").write_text(to_json_lines(records), encoding="utf8")
    files = "train: train.jsonl\nvalidation: validation.jsonl\ntest: test.jsonl\n"
    text = f"name: own-task\n{files}epochs: 1\nsmoke: {{input: 'Say 7:', holds: no such answer}}\n"
    (tmp_path / "pipeline.yaml").write_text(text, encoding="utf8")
    return tmp_path


@pytest.mark.parametrize("other_model", ["llama"], indirect=True)
def test_the_whole_way_runs_with_a_task_of_one_s_own(failures, own_task, monkeypatch):
    """What was found for the tickets is asserted of no other task, not even for the course's own model."""
    monkeypatch.setattr("utils.exercises.claims.is_course_model", lambda model: True)
    cells = code_cells(notebook(5))
    [chosen] = [cell for cell in cells if 'TASK = "tickets"' in cell.source]
    chosen.source = chosen.source.replace('"tickets"', repr(str(own_task)), 1)
    run(cells, {})
    assert failures == []


def test_what_fails_in_a_cell_or_in_a_widget_is_found(failures):
    cells = [nbformat.v4.new_code_cell(source) for source in ("model = 1\n1 + model", "model.generate('Hi')")]
    with pytest.raises(AttributeError, match="generate"):
        run(cells, {})
    with told_in(widgets.HTML()):
        raise UnsupportedSetting("No such setting.")
    assert failures == ["No such setting."]


def test_a_cell_that_asks_for_the_model_unseen_is_found(above_the_model, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", "another")
    cells = [nbformat.v4.new_code_cell("from utils.models import loading\ngetattr(loading, 'load_' + 'model')()")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "unseen.ipynb")
    with pytest.raises(pytest.fail.Exception, match="mark this test with model"):
        above_the_model(tmp_path / "unseen.ipynb")
