"""Widgets through their values, as a learner's hand would change them."""

import html
import re
from dataclasses import replace

import pytest

from utils.datasets.dialogues import load_dialogues
from utils.errors import DataError, TooManyShots, UnsupportedSetting
from utils.evaluation.workbench import Answer, Asked, make_bench
from utils.exercises import load_quiz
from utils.prompts.templates import DIALOGUES, ChatTemplate
from utils.widgets import prompt_workbench, quiz
from utils.widgets.prompt_workbench import INSTRUCTION, Workbench


@pytest.fixture
def bench(course_model):
    chat = ChatTemplate(course_model.tokenizer, "Dialogue", "Summary", multiline=True)
    return make_bench(
        course_model, load_dialogues("test")[:3], load_dialogues("train")[:4], {"plain": DIALOGUES, "chat": chat}
    )


def answers_of(made: Workbench) -> list[list[str]]:
    """The table of answers as a learner reads it: rows of cells."""
    rows = re.findall(r"<tr>(.*?)</tr>", made.answers_view.value, re.DOTALL)[1:]
    return [[html.unescape(cell) for cell in re.findall(r"<td [^>]*>(.*?)</td>", row, re.DOTALL)] for row in rows]


def test_the_workbench_shows_the_prompt_that_its_controls_describe(bench):
    made = prompt_workbench(bench)
    made.shots.value = 2
    assert made.prompt_view.value.count("Summary:") == 3
    made.instruction.value = "Say it <short>."
    assert "Say it &lt;short&gt;." in made.prompt_view.value
    made.template.value = "chat"
    assert "&lt;|im_start|&gt;assistant" in made.prompt_view.value
    made.query.value = bench.queries[1]
    assert bench.queries[1].input_text.split("\n")[0][:20] in html.unescape(made.prompt_view.value)
    tokens = bench.model.count_tokens(bench.prompt(Asked(bench.queries[1], "Say it <short>.", 2, "chat")))
    assert made.message.value.count(f"{tokens} tokens of prompt") == 1


def test_the_workbench_answers_and_scores_and_keeps_its_answers_to_be_compared(bench):
    made = prompt_workbench(bench)
    assert "no answer yet" in made.answers_view.value
    made.ask_button.click()
    made.shots.value = 3
    assert "no answer yet" in made.answers_view.value
    assert not any(row[0].startswith("Now") for row in answers_of(made)), "no old answer stands for a new prompt"
    made.ask_button.click()
    newest, oldest = (bench.answer(Asked(bench.queries[0], INSTRUCTION, shots, "plain")) for shots in (3, 0))
    assert answers_of(made) == [
        [f"Now: d301, 3 shots, plain, “{INSTRUCTION}”", f"{newest.completion}\nROUGE-1: {newest.rouge1:.2f}"],
        [f"d301, 0 shots, plain, “{INSTRUCTION}”", f"{oldest.completion}\nROUGE-1: {oldest.rouge1:.2f}"],
    ]
    assert "no answer yet" not in made.answers_view.value
    made.shots.value = 0
    assert [row[0].startswith("Now: ") for row in answers_of(made)] == [False, True]


def test_the_workbench_says_that_it_asked_again_and_keeps_only_the_last_answers(bench, monkeypatch):
    monkeypatch.setattr(type(bench), "answer", lambda _bench, asked: Answer(asked, asked.instruction, 0.5))
    made = prompt_workbench(bench)
    for text in "abcdefg":
        made.instruction.value = text
        made.ask_button.click()
        assert "Asked again" not in made.message.value
    assert [row[1][0] for row in answers_of(made)] == ["g", "f", "e", "d", "c"]
    made.instruction.value = "e"
    made.ask_button.click()
    assert "Asked again: the same prompt gives the same completion." in made.message.value
    assert [row[1][0] for row in answers_of(made)] == ["e", "g", "f", "d", "c"]


def test_the_workbench_says_what_is_wrong_in_its_own_place(bench):
    made = prompt_workbench(replace(bench, model=replace(bench.model, context_window=50)))
    for _ in range(2):
        assert "context window is 50 tokens" in made.message.value and 'role="alert"' in made.message.value
        made.ask_button.click()
    assert answers_of(made) == []


def test_what_a_workbench_does_not_have_is_refused_in_words(bench):
    made = prompt_workbench(bench)
    with pytest.raises(UnsupportedSetting, match=r"Shots \(examples\) is one of 0, 1, 2, 3, 4; 9 was given"):
        made.shots.value = 9
    with pytest.raises(UnsupportedSetting, match="Template is one of plain, chat; 'Chat' was given"):
        made.template.value = "Chat"


def test_an_instruction_that_gives_no_prompt_is_told_and_the_last_prompt_does_not_stay(bench, monkeypatch):
    made = prompt_workbench(bench)
    monkeypatch.setattr(type(bench), "prompt", lambda *_: refuse("No such prompt."))
    made.instruction.value = "Say it."
    assert "No such prompt." in made.message.value and 'role="alert"' in made.message.value
    assert made.prompt_view.value == ""


def refuse(words: str):
    raise DataError(words)


def test_a_workbench_that_would_show_the_answer_is_refused(course_model):
    test = load_dialogues("test")[:3]
    with pytest.raises(DataError, match="among the examples"):
        make_bench(course_model, test, test, {"plain": DIALOGUES})


def test_more_shots_than_examples_is_refused(bench):
    with pytest.raises(TooManyShots, match="9 shots were asked for and there are 4"):
        bench.prompt(Asked(bench.queries[0], "", 9, "plain"))


def test_the_quiz_explains_and_counts():
    questions = load_quiz(1)
    view = quiz(questions)
    *parts, score = view.children
    assert "0 of 5 right, 0 of 5 answered" in score.value
    for part, question in zip(parts, questions.questions, strict=True):
        _, choices, feedback = part.children
        choices.value = (question.right + 1) % 3
        assert "Not quite." in feedback.value
        choices.value = question.right
        assert "Correct." in feedback.value
    assert "5 of 5 right, 5 of 5 answered" in score.value


def test_every_control_has_a_full_label(bench):
    made = prompt_workbench(bench)
    for control in (made.query, made.instruction, made.shots, made.template):
        assert control.description and control.style.description_width == "initial"


def test_without_a_kernel_there_is_a_picture_in_words(bench, monkeypatch):
    shown = []
    monkeypatch.setattr("utils.widgets.view.display", lambda bundle, raw: shown.append(bundle))
    prompt_workbench(bench)
    quiz(load_quiz(1))
    assert "Dialogue:" in shown[0]["text/html"] and "tokens of prompt" in shown[0]["text/plain"]
    assert all(question.choices[0] in shown[1]["text/html"] for question in load_quiz(1).questions)
    for bundle in shown:
        assert "application/vnd.jupyter.widget-view+json" in bundle
