"""Every lesson and every lab, from its first cell to its last, on models of other kinds than the course's own."""

import ast
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from matplotlib import pyplot
from transformers import PreTrainedTokenizerFast

from tests.tiny_models import KINDS, byte_pairs, save, tiny_model
from utils.authoring import MASTERS, ROOT, labs_in, lessons_in
from utils.datasets import load_dialogues, load_questions, load_reviews
from utils.tuning.worker import work

NOTEBOOKS = [*lessons_in(ROOT / "notebooks"), *labs_in(MASTERS)]
VOCABULARY = 2048
WINDOWS = {"gpt2": 1024, "bart": 1024, "opt": 2048, "qwen2": 32_768}
"""Positions of real models of a kind; 8,192 where a kind has many."""

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
CHATTING = ("llama", "gemma3", "qwen3")
AROUND = {
    "llama": ("<s> $A", "<s>"),
    "gemma3": ("<s> $A", "<s>"),
    "opt": ("<s> $A", "<s>"),
    "bart": ("<s> $A </s>", "<s>"),
    "t5": ("$A </s>", "<s>"),
}


@pytest.fixture(scope="module")
def pairs():
    records = [*load_reviews("train"), *load_questions("train")]
    texts = [getattr(record, "text", "") or record.input_text for record in records]
    dialogues = [f"Dialogue:\n{one.input_text}\nSummary: {one.output_text}" for one in load_dialogues("train")]
    marks = ["Review: Sentiment: positive negative Question: Answer: Is this movie review positive or negative?"] * 20
    return byte_pairs([*texts, *dialogues, *marks], vocabulary=VOCABULARY)


@pytest.fixture(scope="module", params=KINDS)
def other_model(request, pairs, tmp_path_factory) -> Path:
    kind = request.param
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        bos_token="</s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token=None if kind == "gpt2" else "<pad>",
        chat_template=CHAT if kind in CHATTING else None,
    )
    model = tiny_model(kind, vocabulary=VOCABULARY, window=WINDOWS.get(kind, 8192))
    return save(tmp_path_factory.mktemp("other") / kind, model, tokenizer)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """Where all of these notebooks keep their jobs: a store is made once."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def at_work(other_model, kept, monkeypatch):
    """A learner's environment: another model, jobs that train in this process, threads that must not fail."""
    monkeypatch.setenv("COURSE_MODEL", str(other_model))
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    monkeypatch.setenv("COURSE_TUNING", str(kept))
    monkeypatch.setattr("utils.tuning.job._spawn", work)
    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    monkeypatch.setattr("utils.widgets.view.alert", lambda text: failures.append(text) or text)
    yield failures
    pyplot.close("all")


def run(notebook: Path) -> None:
    """Run the code cells one after the other and show what stands last in each, as Jupyter does."""
    names: dict[str, Any] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell.id, "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), cell.id, "eval"), names)
            if shown is not None:
                repr(shown), getattr(shown, "_repr_html_", str)()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(notebook, at_work):
    run(notebook)
    assert at_work == []
