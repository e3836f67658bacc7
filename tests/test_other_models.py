"""Every lesson and every lab, from its first cell to its last, on models of other kinds than the course's own."""

import ast
import pickle
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import nbformat
import pytest
from matplotlib import pyplot
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from tests.tiny_models import KINDS, byte_pairs, save, tiny_model
from utils import before_transformers
from utils.authoring import MASTERS, ROOT, labs_in, lessons_in
from utils.datasets import load_dialogues, load_questions, load_reviews
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

ONCE = ("learn_vocabulary", "count_ngrams", "gradient_reach", "seconds_table")
"""What lesson 02 computes without the model."""

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


def once(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that computes an answer once for the same arguments."""
    known: dict[bytes, Any] = {}

    def found(*given: Any, **settings: Any) -> Any:
        key = pickle.dumps((given, settings))
        if key not in known:
            known[key] = compute(*given, **settings)
        return known[key]

    return found


@pytest.fixture(scope="module")
def computed_once() -> dict[str, Callable[..., Any]]:
    """What lesson 02 computes for all models alike, its training among it."""
    known: dict[str, tuple[list[float], dict]] = {}

    def train_or_load(network, rows, **settings) -> list[float]:
        kind = type(network).__name__
        if kind not in known:
            known[kind] = before_transformers.training.train(network, rows, **settings), network.state_dict()
        losses, weights = known[kind]
        network.load_state_dict(weights)
        return list(losses)

    return {name: once(getattr(before_transformers, name)) for name in ONCE} | {"train": train_or_load}


@pytest.fixture
def failures(other_model, kept, computed_once, monkeypatch):
    """A learner's environment with another model; what fails in a thread or is told in a widget stands in the list.

    Jobs train in this process.
    """
    monkeypatch.setenv("COURSE_MODEL", str(other_model))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setenv("COURSE_TUNING", str(kept))
    monkeypatch.setattr("utils.tuning.job._spawn", work)
    for name, compute in computed_once.items():
        monkeypatch.setattr(before_transformers, name, compute)
    found: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", found.append)
    monkeypatch.setattr("utils.widgets.view.alert", lambda text: found.append(text) or text)
    yield found
    pyplot.close("all")


def run(notebook: Path) -> dict[str, Any]:
    """Run the code cells one after the other, show what stands last in each, as Jupyter does, and return all names."""
    names: dict[str, Any] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
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
def test_a_notebook_runs_to_its_end(notebook, failures):
    for thing in run(notebook).values():
        USES.get(type(thing), lambda _: None)(thing)
    assert failures == []


def test_what_fails_in_a_cell_or_in_a_widget_is_found(failures, tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("model = 1\n1 + model", "model.generate('Hi')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "wrong.ipynb")
    with pytest.raises(AttributeError, match="generate"):
        run(tmp_path / "wrong.ipynb")
    with told_in(widgets.HTML()):
        raise UnsupportedSetting("No such setting.")
    assert failures == ["No such setting."]
