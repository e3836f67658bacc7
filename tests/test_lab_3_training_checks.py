"""What the tables of right and wrong answers do not say of the exercises 3.1 to 3.5."""

import re
from copy import deepcopy

import pytest

from tests.answers import anew, lab_3_training
from utils.exercises.checks import assess


class Echo:
    """A model that says how many prompts it got and how the last one begins."""

    def generate(self, prompts, **_):
        return [f"{number} of {prompts[-1].split()[0]}" for number, _ in enumerate(prompts, start=1)]


def test_the_model_s_own_completions_stand_below_the_verdict():
    verdict, right = assess("3.1", lab_3_training.to_record, model=Echo())
    assert right and verdict.splitlines()[-2:] == ["1. 1 of Summarize", "2. 2 of Summarize"]
    assert "think about" not in verdict


def test_a_prompt_for_another_task_gets_advice():
    answer = lab_3_training.prompt_with("Translate the dialogue into French.\n\n@D\n\nFrench:")
    verdict, right = assess("3.1", answer)
    assert right and "ask for a translation, and for no summary" in verdict


def test_an_instruction_that_is_drawn_is_no_part_of_the_summary():
    drawn = iter(["Summarize this.", "Sum it up.", "Say it in short."] * 100)
    answer = lab_3_training.record_with(lambda d, s: f"{next(drawn)}\n\n{d}\n\nSummary:")
    assert assess("3.1", answer)[1]


@pytest.mark.parametrize("exercise", ["3.4", "3.5"])
def test_no_sentence_gives_the_result_away(exercise):
    solution = lab_3_training.SOLUTIONS[exercise]
    for wrong, _ in lab_3_training.WRONG[exercise]:
        if "endless" in getattr(wrong, "__name__", ""):
            continue
        wrong, asked = anew(wrong), []
        verdict, _ = assess(exercise, lambda *given, a=wrong, seen=asked: seen.append(deepcopy(given)) or a(*given))
        told = re.sub(r" gave .*?\. (?=[A-Z])", " ", verdict.split("\nYour code printed")[0])
        for result in (solution(*given) for given in asked[:1]):
            shown = str(result) if isinstance(result, tuple) else f"{result:.4g}"
            assert shown not in told, verdict
