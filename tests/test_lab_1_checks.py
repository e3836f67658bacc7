"""What the checks of Lab 1 say besides right and wrong: advice on prompts, and what the model writes after them."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.answers import lab_1
from utils.errors import CourseError
from utils.exercises import running
from utils.exercises.checks import assess


class Echo:
    """A model that says how many prompts it got and how the first one ends."""

    def generate(self, prompts, **_):
        return [f"{number}\nfor {prompt.splitlines()[-1]}" for number, prompt in enumerate(prompts, start=1)]


class Broken:
    def generate(self, prompts, **_):
        raise CourseError("the prompt is too long.")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Translate the dialogue into French.\n\n{}\n\nFrench:", "ask for a translation, and for no summary"),
        ("What language is this dialogue in?\n\n{}\n\nLanguage:", "ask for the language of the dialogue"),
        ("Continue this dialogue.\n\n{}\n\nNext turn:", "ask for more of the dialogue"),
        ("Be nice.\n\n{}\n\nOutput:", "no word of your prompt seems to ask for a summary"),
    ],
)
def test_words_are_advice(prompt, said):
    verdict, right = assess("1.1", prompt.format)
    assert right and said in verdict


@pytest.mark.parametrize(
    "instruction", ["State the main point.", "TL;DR it.", "Fasse das zusammen.", "What happens here?"]
)
def test_a_prompt_for_a_summary_gets_no_advice(instruction):
    verdict, right = assess("1.1", f"{instruction}\n\n{{}}\n\nAnswer:".format)
    assert right and "think about" not in verdict


def test_the_model_s_own_completions_stand_below_the_verdict():
    verdict, right = assess("1.1", "Summarize it.\n\n{}\n\nSummary:".format, model=Echo())
    assert right and verdict.splitlines()[-2:] == ["1. 1 for Summary:", "2. 2 for Summary:"]
    verdict, right = assess("1.1", "Summarize it.\n\n{}\n\nSummary:".format, model=Broken())
    assert right and verdict.endswith("could not continue your prompt: the prompt is too long.")
    assert "for two dialogues" not in assess("1.1", "{}\n\nSummary:".format, model=Echo())[0]


def test_a_space_behind_the_last_colon_of_examples_is_told():
    def few_shot(dialogue, train, shots):
        solved = "".join(f"{record.input_text}\nSummary: {record.output_text}\n\n" for record in train[:shots])
        return f"Summarize each dialogue.\n\n{solved}{dialogue}\nSummary: "

    verdict, right = assess("1.2", few_shot)
    assert right and "ends with a space" in verdict


ODD = [
    True,
    0,
    -1,
    2.5,
    float("nan"),
    float("inf"),
    10**400,
    1j,
    "1",
    "",
    b"1",
    [],
    [[1, 2], [3]],
    {},
    {1},
    (None, None),
    ("a", 1, None),
    [float("nan"), float("nan")],
    object(),
    int,
    np.zeros((2, 2)),
    np.array(["a"]),
    torch.ones(3),
    torch.tensor(float("nan")),
    pd.DataFrame({"a": [1]}),
    pd.Series([1.0, 2.0]),
    range(2),
    lambda: 1,
]


@pytest.mark.parametrize("exercise", lab_1.RIGHT)
def test_a_result_of_any_kind_is_refused_in_a_sentence(exercise):
    for result in ODD:
        verdict, right = assess(exercise, lambda *_, result=result: result)
        assert not right and verdict.startswith("not yet. ") and verdict.endswith((".", "?", "after it.")), verdict


def raising(error):
    def answer(*_):
        raise error

    return answer


def without_end(*_):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


async def later(*_):
    return 1


@pytest.mark.parametrize("exercise", lab_1.RIGHT)
def test_whatever_an_answer_does_ends_in_a_verdict(exercise, monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 0.2)
    broken = [
        SystemExit(1),
        KeyboardInterrupt(),
        RecursionError("deep"),
        MemoryError(),
        StopIteration(),
        Exception("x"),
    ]
    for answer in (*map(raising, broken), without_end, later, print, lambda: 1, lambda *_: exit()):
        verdict, right = assess(exercise, answer)
        assert not right and verdict.startswith("not yet. "), verdict
