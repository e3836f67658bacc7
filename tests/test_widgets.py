"""Widgets through their values, as a learner's hand would change them."""

import pytest

from utils.datasets.dialogues import load_dialogues
from utils.errors import DataError, TooManyShots, UnsupportedSetting
from utils.evaluation.workbench import make_bench
from utils.exercises import load_quiz
from utils.prompts.templates import DIALOGUES, ChatTemplate
from utils.widgets import prompt_workbench, quiz


@pytest.fixture
def bench(course_model):
    chat = ChatTemplate(course_model.tokenizer, "Dialogue", "Summary", multiline=True)
    return make_bench(
        course_model, load_dialogues("test")[:3], load_dialogues("train")[:4], {"plain": DIALOGUES, "chat": chat}
    )


def test_the_workbench_shows_the_prompt_that_its_controls_describe(bench):
    view = prompt_workbench(bench)
    query, instruction, shots, template = view.children[0].children
    prompt, budget = view.children[1], view.children[2]
    shots.value = 2
    assert prompt.value.count("Summary:") == 3
    instruction.value = "Say it <short>."
    assert "Say it &lt;short&gt;." in prompt.value
    template.value = "chat"
    assert "&lt;|im_start|&gt;assistant" in prompt.value
    query.value = bench.queries[1]
    assert bench.queries[1].input_text.split("\n")[0][:20] in prompt.value.replace("&#x27;", "'")
    tokens = bench.model.count_tokens(bench.prompt(query.value, instruction.value, 2, "chat"))
    assert budget.value.count(f"{tokens} tokens of prompt") == 1


def test_the_workbench_answers_and_scores(bench):
    view = prompt_workbench(bench)
    ask, answer = view.children[3], view.children[4]
    view.children[0].children[2].value = 3
    ask.click()
    completion, score = bench.answer(
        bench.prompt(bench.queries[0], "Summarize the dialogue in one sentence.", 3, "plain"), bench.queries[0]
    )
    assert completion.split()[0] in answer.value and f"{score:.2f}" in answer.value
    view.children[0].children[2].value = 0
    assert "Press the button" in answer.value, "an old answer must not stand under a new prompt"


def test_the_workbench_says_what_is_wrong_in_its_own_place(bench, monkeypatch):
    object.__setattr__(bench.model, "context_window", 50)
    try:
        view = prompt_workbench(bench)
        view.children[3].click()
        assert "context window is 50 tokens" in view.children[4].value
    finally:
        object.__setattr__(bench.model, "context_window", 8192)


def test_what_a_workbench_does_not_have_is_refused_in_words(bench):
    _query, _instruction, shots, template = prompt_workbench(bench).children[0].children
    with pytest.raises(UnsupportedSetting, match=r"Shots \(examples\) is one of 0, 1, 2, 3, 4; 9 was given"):
        shots.value = 9
    with pytest.raises(UnsupportedSetting, match="Template is one of plain, chat; 'Chat' was given"):
        template.value = "Chat"


def test_an_instruction_that_gives_no_prompt_is_told_in_the_workbench(bench, monkeypatch):
    view = prompt_workbench(bench)
    monkeypatch.setattr(type(bench), "prompt", lambda *_: refuse("No such prompt."))
    view.children[0].children[1].value = "Say it."
    assert "No such prompt." in view.children[4].value and 'role="alert"' in view.children[4].value


def refuse(words: str):
    raise DataError(words)


def test_a_workbench_that_would_show_the_answer_is_refused(course_model):
    test = load_dialogues("test")[:3]
    with pytest.raises(DataError, match="among the examples"):
        make_bench(course_model, test, test, {"plain": DIALOGUES})


def test_more_shots_than_examples_is_refused(bench):
    with pytest.raises(TooManyShots, match="9 shots were asked for and there are 4"):
        bench.prompt(bench.queries[0], "", 9, "plain")


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
    for control in prompt_workbench(bench).children[0].children:
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
