"""Prompt design without a browser: what the fields make of a prompt, what is run, what is kept and found again."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from traitlets.utils.bunch import Bunch

from tests.serving.conftest import new_endpoint, serving, tiny_language_model
from tests.tiny_models import letters, save, tiny_model
from utils.errors import DataError
from utils.logits.config import DecodingConfig
from utils.prompts.templates import Example
from utils.studio.answers_page import OLD
from utils.studio.parameters_page import Parameters
from utils.studio.prompt import Prompt
from utils.studio.responses import Response, respond
from utils.studio.run_cards import RunCards
from utils.studio.studio import Studio
from utils.studio.values import filled, read_values, unfilled
from utils.widgets.settling import Settling
from utils.widgets.turns import Turns, each_in_thread

HOSTILE = 'a <b id="x">bold</b> {"k": {1}} 한국어 \N{FIRE}\n{ x } {} & "q"'
CONFIG = DecodingConfig(seed=2, max_new_tokens=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("models") / "llama", tiny_model("llama"), letters())


@pytest.fixture
def page(studio, folder, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", str(folder))
    return studio.go("Prompt design")


def reopened(workspace):
    """The page in another studio on the same workspace."""
    return Studio(workspace).go("Prompt design")


def put(page, **fields):
    page.studio.keep(Prompt(**{"config": CONFIG, **fields}))
    page.shown()


def answers(page):
    return [response.text for response in page.runs.responses]


EVERYTHING = Prompt(
    kind="structured",
    text=HOSTILE,
    context=HOSTILE,
    examples=(Example(HOSTILE, "b"), Example("", "c")),
    test_input="About {topic}",
    input_label="Q",
    output_label="A",
    turns=(("user", HOSTILE), ("assistant", "an answer"), ("user", "more")),
    as_chat=True,
    values=((("topic", HOSTILE),), (("topic", "ships"), ("other", "x"))),
    labels=("good", "bad"),
    config=replace(CONFIG, temperature=0.5, top_k=7, order="studio", stop=("\n", r"\nabla", "\t", "##")),
    responses=3,
)


@pytest.mark.parametrize("kind", ["freeform", "structured", "chat"])
def test_whatever_a_prompt_holds_comes_back_out_of_the_fields(page, workspace, kind):
    given = replace(EVERYTHING, kind=kind)
    page.studio.keep(given)
    page.shown()
    assert page.prompt == given
    assert reopened(workspace).prompt == given


def test_switching_the_kind_loses_nothing(page):
    page.studio.keep(EVERYTHING)
    page.shown()
    for kind in ("chat", "freeform", "structured"):
        page.fields.kind.value = kind
        assert page.prompt == replace(EVERYTHING, kind=kind)


def test_a_change_in_any_field_is_found_by_another_studio(page, workspace):
    page.fields.text.value = HOSTILE
    page.parameters.sliders["top_p"].value = 0.8
    page.parameters.stop.value = "\\n\n\\\\n"
    page.count.value = 4
    page.labels.text.value = "good\nbad\n\n"
    found = reopened(workspace)
    assert found.prompt == page.prompt
    assert (found.prompt.text, found.prompt.responses) == (HOSTILE, 4)
    assert found.prompt.config.stop == ("\n", "\\n")
    assert found.prompt.labels == () and found.labels.kept == ("good", "bad")


def test_a_run_answers_as_the_model_does_and_is_kept(page, workspace):
    put(page, text="The sea is", responses=2)
    page.run()
    alone = respond(page.picker.loaded, page.prompt)
    assert answers(page) == [response.text for response in alone]
    assert page.message.value.count("Done: 10 tokens in") == 1
    found = reopened(workspace)
    assert found.answers.state["responses"][1]["text"] == alone[1].text
    assert OLD not in found.answers.line.value
    found.fields.text.value = "The sea was"
    assert OLD in found.answers.line.value


def test_a_run_is_kept_as_a_run_card(page, workspace):
    put(page, text="The {what} is", values=((("what", "sea"),),))
    page.run()
    [card] = RunCards(workspace).all()[0].values()
    assert card.prompt == page.prompt and card.asked.text == "The sea is"
    assert card.outputs[0].text == answers(page)[0]
    assert card.outputs[0].tokens == page.runs.responses[0].tokens


def test_a_text_in_an_answer_is_text(page):
    page.answers.show_responses([Response(0, HOSTILE)])
    assert "&lt;b id=&quot;x&quot;&gt;bold" in page.answers.picture.value
    page.answers.show_choice({HOSTILE: 1.0}, together=0.5)
    page.answers.show_rows([HOSTILE], [[HOSTILE]])
    page.fields.chat.answered((("user", HOSTILE), ("assistant", HOSTILE), ("user", HOSTILE)), HOSTILE)
    assert "<b id" not in page.answers.picture.value + page.fields.chat.log.value


def test_the_answers_keep_their_place(page):
    one, three = [Response(0)], [Response(n, "x" * 900) for n in range(3)]
    for responses in (one, three):
        page.answers.show_responses(responses)
        assert page.answers.picture.layout.height == "320px"


def test_an_empty_prompt_is_said_when_it_is_run_and_not_before(page):
    assert page.tokens.value == "" and page.message.value == ""
    page.run()
    assert "The prompt is empty" in page.message.value and page.runs.asked is None


def test_what_the_prompt_takes_of_the_window(page):
    put(page, text="abc")
    assert "3 tokens of prompt and at most 5 of completion, out of a context window of 256." in page.tokens.value
    page.fields.text.value = "a" * 300
    assert 'role="alert"' in page.tokens.value and "shorten the prompt" in page.tokens.value


def test_variables_are_columns_and_the_chosen_row_is_run(page):
    page.fields.text.value = "The {what} is {how} and {what}"
    assert page.values.table.columns == ["what", "how"] and page.values.table.rows == [["", ""]]
    assert "Without a value: {what}, {how}." in page.tokens.value
    page.values.table.rows = [["sea", "calm"], ["air", ""]]
    assert page.asked.text == "The sea is calm and sea"
    page.values.table.chosen = 1
    assert page.asked.text == "The air is {how} and air"
    assert "Without a value: {how}." in page.tokens.value


def test_values_of_a_variable_that_is_gone_stay(page):
    page.fields.text.value = "The {what}"
    page.values.table.rows = [["sea"], [""]]
    page.fields.text.value = "The {thing}"
    assert page.values.table.columns == ["thing", "what"]
    assert page.values.table.rows == [["", "sea"], ["", ""]]
    page.values.table.rows = [["ship", ""], ["", ""]]
    page.fields.text.value = "The {thing}!"
    page.fields.text.value = "{thing}{more}"
    assert page.values.table.columns == ["thing", "more"]


def test_all_rows_are_answered_as_each_alone(page, workspace):
    put(page, text="The {what} is", values=tuple(((("what", what),)) for what in ("sea", "ship", "air")))
    page.run_all()
    alone = [respond(page.picker.loaded, filled(page.prompt, n))[0].text for n in range(3)]
    state = page.answers.state
    assert state["columns"] == ["Row", "what", "Answer"]
    assert state["rows"] == [[str(n + 1), what, alone[n]] for n, what in enumerate(("sea", "ship", "air"))]
    assert "3 of 3 rows answered." in page.message.value
    assert reopened(workspace).answers.state == state


def test_rows_are_asked_for_where_there_are_none(page):
    put(page, text="The sea")
    page.run_all()
    assert "There is no row of values" in page.message.value


def test_a_pasted_table_is_there_until_it_is_taken_over(page, workspace):
    page.fields.text.value = "{what}"
    page.values.pasted.value = HOSTILE
    assert reopened(workspace).values.pasted.value == HOSTILE
    page.values.pasted.value = "what\nsea"
    page.values.take_button.click()
    found = reopened(workspace)
    assert found.values.pasted.value == "" and found.values.rows == ((("what", "sea"),),)


def test_a_thousand_rows_are_taken_over_and_kept(page, workspace):
    page.fields.text.value = "{name} is {age}"
    text = "age,name\n" + "".join(f'{n},"Kim, {n}"\n' for n in range(1000))
    settled, settle = [], page.settling.act
    page.settling.act = lambda: settled.append(settle())
    page.values.take(text)
    assert len(page.prompt.values) == 1000 and "1,000 rows taken over." in page.values.message.value
    assert len(settled) < 5, "all rows are one change, or a few"
    assert page.asked.text == "Kim, 0 is 0"
    assert reopened(workspace).prompt.values == page.prompt.values


def test_a_file_with_a_table_is_read_and_one_that_is_none_is_said(page):
    page.fields.text.value = "{name}"
    upload(page, "a.csv", "name\n김\n".encode("utf-8-sig"))
    assert page.values.table.rows == [["김"]]
    upload(page, "b.csv", b"\xff\xfe\x00")
    assert "b.csv is no text in UTF-8" in page.values.message.value and page.values.table.rows == [["김"]]


def upload(page, name, content):
    now = datetime.now(UTC)
    file = Bunch(name=name, type="text/csv", size=len(content), content=content, last_modified=now)
    page.values.file.set_trait("value", (file,))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("what\thow\nsea\tcalm\n", [{"what": "sea", "how": "calm"}]),
        ("how;what\r\ncalm;sea\r\n", [{"what": "sea", "how": "calm"}]),
        ("sea,calm\nair,cold", [{"what": "sea", "how": "calm"}, {"what": "air", "how": "cold"}]),
        ('what\n"two\nlines, ""quoted"""\n', [{"what": 'two\nlines, "quoted"'}]),
        ("\ufeffwhat,id\nsea,7\n\n", [{"what": "sea", "id": "7"}]),
        ("what\tnote\na, b; c\tx", [{"what": "a, b; c", "note": "x"}]),
    ],
)
def test_tables_are_read(text, rows):
    assert [dict(row) for row in read_values(text, ("what", "how"))] == rows


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), (" \n", "is empty"), ("what\nsea,b", "Row 1 of the table has 2 cells")]
)
def test_what_is_no_table_is_said(text, said):
    with pytest.raises(DataError, match=said):
        read_values(text, ("what",))


def test_braces_in_values_stay_text():
    prompt = Prompt(text="{a} {b}", values=((("a", "{b}"), ("b", "")),))
    assert filled(prompt, 0).text == "{b} {b}" and unfilled(prompt, 0) == ["b"]
    assert filled(prompt, 5) == prompt and unfilled(prompt, -1) == ["a", "b"]


def test_a_chat_goes_on_with_the_first_answer_or_another(page, workspace):
    put(page, kind="chat", turns=(("user", "How is the sea?"),), responses=2)
    page.run()
    first, second = answers(page)
    assert page.prompt.turns == (("user", "How is the sea?"), ("assistant", first))
    assert OLD not in page.answers.line.value
    assert page.goes_on.layout.display is None
    page.goes_on.value = 1
    assert page.prompt.turns[-1] == ("assistant", second)
    page.fields.chat.user.value = "And the air?"
    page.run()
    assert len(page.prompt.turns) == 4 and reopened(workspace).prompt == page.prompt
    page.fields.chat.answer.value = "Cold."
    page.fields.chat.user.value = "Why?"
    assert page.prompt.turns[-2:] == (("assistant", "Cold."), ("user", "Why?"))


def test_the_last_turn_is_taken_back_and_what_is_typed_stays(page):
    put(page, kind="chat", turns=(("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")))
    page.fields.chat.user.value = "typed"
    page.fields.chat.take_back()
    assert page.prompt.turns == (("user", "one"), ("assistant", "two"), ("user", "three\ntyped"))
    page.fields.chat.user.value = "three"
    page.fields.chat.take_back()
    assert page.prompt.turns == (("user", "one\nthree"),)


def test_a_chat_that_waits_for_the_user_is_no_alarm_and_cannot_be_run(page):
    put(page, kind="chat", turns=(("user", "one"), ("assistant", "two")))
    assert page.tokens.value == ""
    page.run()
    assert "write what the user says next" in page.message.value


def test_labels_are_chosen_from_instead_of_generating(page, workspace):
    put(page, text="The sea is")
    page.labels.text.value = "calm\nrough"
    page.run()
    assert answers(page)
    page.labels.on.value = True
    page.run()
    assert set(page.answers.state["choice"]) == {"calm", "rough"}
    assert "Chosen: " in page.message.value and "Compare measures" in page.answers.picture.value
    assert reopened(workspace).answers.state == page.answers.state
    card = next(iter(RunCards(workspace).all()[0].values()))
    assert card.prompt == page.prompt and card.outputs[0].shares == page.answers.state["choice"]
    page.labels.text.value = "calm"
    page.run()
    assert "two or more" in page.message.value


def test_the_next_token_follows_the_settings_once_it_is_asked_for(page, monkeypatch):
    put(page, text="The sea is")
    assert page.next_token.picture.value == ""
    page.panels["Next token"].value = True
    assert "tokens kept" in page.next_token.message.value
    monkeypatch.setattr("utils.studio.parameters_page.read_prompt", lambda *_: pytest.fail("the prompt is the same"))
    before = page.next_token.picture.value
    page.parameters.sliders["top_k"].value = 3
    assert "3 of " in page.next_token.message.value and page.next_token.picture.value != before


def test_a_model_that_does_not_load_is_said_and_the_former_one_stays(page, tmp_path):
    put(page, text="The sea is")
    before = page.picker.loaded
    page.picker.other.value = str(tmp_path)
    assert "does not hold a model" in page.message.value and "stays" in page.message.value
    assert page.picker.loaded is before and page.prompt.model == "" and page.picker.choice.value == ""
    page.run()
    assert answers(page)[0]


def test_an_endpoint_is_picked_by_its_address(page, workspace):
    with serving(new_endpoint(tiny_language_model())) as endpoint:
        put(page, kind="chat", turns=(("user", "How is the sea?"),))
        page.picker.other.value = endpoint.url
        assert page.picker.other.value == "" and page.prompt.model == endpoint.url
        page.run()
        assert answers(page)[0] and page.prompt.turns[-1] == ("assistant", answers(page)[0])
        assert reopened(workspace).picker.loaded.name.startswith(endpoint.url)
    page.fields.chat.user.value = "And now?"
    page.run()
    assert "No endpoint answers at" in page.message.value
    assert page.prompt.turns[-1] == ("user", "And now?")
    found = reopened(workspace)
    assert "No endpoint answers at" in found.message.value and found.prompt.turns == page.prompt.turns


def test_only_what_has_changed_is_kept(page, workspace):
    """Opening a second studio is no change of the first one's."""
    page.fields.text.value = "Mine"
    page.run()
    reopened(workspace)
    page.fields.text.value = "Mine, longer"
    assert not (workspace.folder / "earlier").exists() and page.studio.message.value == ""


def test_what_is_typed_while_a_chat_is_answered_stays(page):
    put(page, kind="chat", turns=(("user", "How is the sea?"),))
    page.runs.answers.show_responses = lambda _responses: setattr(page.fields.chat.user, "value", "next")
    page.run()
    assert page.prompt.turns == (("user", "How is the sea?"), ("assistant", answers(page)[0]), ("user", "next"))


def test_a_prompt_whose_labels_are_too_few_is_kept_all_the_same(page, workspace):
    put(page, text="The sea is")
    page.labels.on.value = True
    page.labels.text.value = "calm"
    page.fields.text.value = "The sea was"
    assert "two or more" in page.tokens.value
    found = reopened(workspace)
    assert found.fields.text.value == "The sea was" and found.labels.kept == ("calm",)
    page.shown()
    assert page.labels.text.value == "calm" and page.fields.text.value == "The sea was"


def test_a_prompt_that_another_page_opens_is_shown(page, studio):
    page.fields.text.value = "Mine"
    studio.design(Prompt(text="Theirs", responses=2))
    assert page.prompt == Prompt(text="Theirs", responses=2)


def test_a_run_is_stopped_between_two_tokens_and_what_is_there_stays(page, workspace):
    put(page, text="The sea is", config=replace(CONFIG, max_new_tokens=200))

    async def stopped():
        page.run()
        while not page.runs.responses or len(page.runs.responses[0].tokens) < 3:
            await asyncio.sleep(0.01)
        page.stop()
        await page.runs.turns.task

    asyncio.run(asyncio.wait_for(stopped(), 120))
    tokens = len(page.runs.responses[0].tokens)
    assert 3 <= tokens < 200 and f"Stopped: {tokens} tokens in" in page.message.value
    assert reopened(workspace).answers.state["responses"][0]["text"] == answers(page)[0]


def test_changes_settle_once():
    acts = []

    async def typed():
        settling, timers = Settling(lambda: acts.append(1), seconds=0), []
        for _ in range(20):
            settling.changed()
            timers.append(settling.waiting)
        assert not acts and [timer.cancelled() for timer in timers] == [True] * 19 + [False]
        while not acts:
            await asyncio.sleep(0)
        assert settling.waiting is None

    asyncio.run(asyncio.wait_for(typed(), 60))
    assert acts == [1]
    Settling(lambda: acts.append(2)).changed()
    assert acts == [1, 2]


def test_a_generator_in_a_thread_ends_with_the_work(page):
    go_on, ended, took, later = threading.Event(), threading.Event(), [], []

    def numbers():
        try:
            yield from range(3)
            go_on.wait(60)
            yield 3
            later.append(4)
        finally:
            ended.set()

    work = each_in_thread(numbers(), took.append)
    while len(took) < 3:
        next(work)
    work.close()
    go_on.set()
    assert ended.wait(60) and took == [0, 1, 2] and not later


def test_an_error_of_a_generator_in_a_thread_is_the_work_s(page):
    def failing():
        yield 1
        raise DataError("Not this one.")

    took = []
    Turns(page.message).run(lambda: each_in_thread(failing(), took.append))
    assert took == [1] and "Not this one." in page.message.value


def test_parameters_show_what_they_were_given():
    for stop in (("\n\n",), ("\\",), ("\\n", "\n"), ("a b", " ")):
        config = replace(CONFIG, stop=stop, min_p=0.2, repetition_penalty=1.3)
        assert Parameters(config).config == config
