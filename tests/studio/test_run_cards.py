"""Run cards: kept, run again, compared token by token, exported and imported."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from utils.errors import CourseError, DataError
from utils.logits.config import DecodingConfig
from utils.studio import run_cards
from utils.studio.prompt import Prompt
from utils.studio.responses import classify, respond
from utils.studio.run_cards import Output, RunCard, RunCards, changes, export, make_card, read, replay, written
from utils.studio.values import filled

LLAMA = pytest.mark.parametrize("saved_model", ["llama"], indirect=True)

ROW = (("word", "cd <b>{x}</b> 안녕 👩‍👩‍👧"), ("empty", ""))
PROMPT = Prompt(
    text="ab {word}: {} {empty}",
    values=((("word", "no"),), ROW),
    config=DecodingConfig(seed=3, max_new_tokens=8),
    responses=2,
)


@pytest.fixture
def card(tiny) -> RunCard:
    return make_card(PROMPT, tiny, respond(tiny, filled(PROMPT, 1)), row=1)


@pytest.fixture
def cards(workspace) -> RunCards:
    return RunCards(workspace)


@LLAMA
def test_a_card_holds_the_run(card, tiny):
    assert [output.seed for output in card.outputs] == [3, 4]
    assert all(len(output.tokens) == 8 and output.stop_reason == "max new tokens" for output in card.outputs)
    assert (card.model_hash, card.model) == (tiny.fingerprint, tiny.name)
    assert dict(card.packages).keys() == {"generative-ai-course", "torch", "transformers"}
    assert card.prompt.values == (ROW,)
    assert card.asked.text == f"ab {ROW[0][1]}: {{}} {{empty}}"


@LLAMA
def test_a_card_run_again_is_the_same_token_by_token(card, tiny):
    found = replay(card, tiny)
    assert found.expected == () and found.same
    assert [each.said for each in found.compared] == ["the same, 8 tokens"] * 2


def test_the_course_s_model_writes_the_same_from_a_file(course_model):
    config = DecodingConfig(temperature=0.9, seed=1, max_new_tokens=12)
    prompt = Prompt(kind="chat", turns=(("user", "Write a greeting."),), config=config, responses=2)
    card = read(written(make_card(prompt, course_model, respond(course_model, prompt))).encode())
    assert len({output.tokens for output in card.outputs}) == 2
    assert replay(card, course_model).same


@LLAMA
def test_the_first_token_that_differs_is_named(card, tiny):
    first, second = card.outputs
    other = (first.tokens[4] + 1) % 20
    changed = replace(first, tokens=(*first.tokens[:4], other, *first.tokens[5:]))
    longer = replace(second, tokens=(*second.tokens, other))
    found = replay(replace(card, outputs=(changed, longer)), tiny)
    assert not found.same
    assert [each.position for each in found.compared] == [5, 9]
    assert f"({other}) and is" in found.compared[0].said and f"({first.tokens[4]})" in found.compared[0].said
    assert found.compared[1].said.endswith("is not there, for the response had ended")


@LLAMA
def test_what_was_stopped_by_hand_is_compared_as_far_as_it_went(card, tiny):
    first, second = card.outputs
    stopped = replace(first, tokens=first.tokens[:3], text="", stop_reason="")
    assert replay(replace(card, outputs=(stopped, second)), tiny).compared[0].said == "the same, 3 tokens"


@LLAMA
def test_texts_are_compared_where_an_endpoint_gave_no_tokens(card, tiny):
    first, _ = card.outputs
    texts = tuple(replace(output, tokens=()) for output in card.outputs)
    assert replay(replace(card, outputs=texts), tiny).compared[0].said == f"the same, {len(first.text)} characters"
    changed = replace(texts[0], text=f"{first.text[:2]}\n{first.text[3:]}")
    said = replay(replace(card, outputs=(changed, texts[1])), tiny).compared[0].said
    assert said == f"character 3 was '\\n' and is {first.text[2]!r}"


@LLAMA
def test_another_model_and_other_packages_are_said_beforehand(card, tiny, lora):
    assert changes(card, tiny) == []
    said = changes(replace(card, packages=(("torch", "1.0"), ("gone", "2.0"))), lora)
    assert len(said) == 3
    assert card.model_hash in said[0] and lora.fingerprint in said[0]
    assert "torch was 1.0 and is" in said[1] and "gone was 2.0" in said[2]
    assert not replay(card, lora).same


@LLAMA
def test_a_card_comes_back_from_its_file(card):
    assert read(written(card).encode()) == card
    assert RunCard.from_dict(json.loads(json.dumps(card.as_dict()))) == card


@LLAMA
def test_cards_are_listed_newest_first_and_the_oldest_are_dropped_and_said(card, cards, monkeypatch):
    monkeypatch.setattr(run_cards, "KEPT", 3)
    made = [replace(card, made=card.made - timedelta(hours=n)) for n in range(5)]
    said = [cards.keep(each) for each in made]
    assert said[:3] == ["", "", ""]
    assert all("the oldest card was dropped" in sentence for sentence in said[3:])
    found, problems = cards.all()
    assert list(found.values()) == [made[4], made[3], made[2]] and problems == []


@LLAMA
def test_a_damaged_card_is_named_and_the_others_load(card, cards):
    assert cards.all() == ({}, [])
    cards.keep(card)
    (cards.folder / "20260101.json").write_text("{half")
    found, [problem] = cards.all()
    assert list(found.values()) == [card]
    assert problem.startswith("20260101.json: This is no run card")


@LLAMA
def test_two_cards_of_one_moment_are_both_kept(card, cards):
    cards.keep(card)
    cards.keep(card)
    assert len(cards.all()[0]) == 2


@LLAMA
def test_a_card_is_exported_and_nothing_is_written_over(card, tmp_path):
    path = export(card, tmp_path / "new" / "card.json")
    assert read(path.read_bytes()) == card
    with pytest.raises(DataError, match="there already"):
        export(card, path)


@pytest.fixture
def choice(tiny) -> RunCard:
    prompt = Prompt(text="ab", labels=("yes", "no <i>", "예"), responses=3)
    return make_card(prompt, tiny, classify(tiny, prompt))


@LLAMA
def test_a_choice_of_labels_is_kept_and_the_same_again(choice, tiny):
    [output] = choice.outputs
    assert output.shares == classify(tiny, choice.prompt) and output.text == next(iter(output.shares))
    assert read(written(choice).encode()) == choice
    found = replay(choice, tiny)
    assert found.same and found.compared[0].said == f"{output.text}, as before; each share is the same within 0.5 %"


@LLAMA
def test_a_label_whose_share_is_another_is_named(choice, tiny):
    [output] = choice.outputs
    first, second, third = output.shares
    little = {first: output.shares[first] - 0.004, second: output.shares[second] + 0.004, third: output.shares[third]}
    assert replay(replace(choice, outputs=(replace(output, shares=little),)), tiny).same
    other = {third: 0.989, first: output.shares[first], second: 0.0}
    found = replay(replace(choice, outputs=(replace(output, text=third, shares=other),)), tiny)
    assert not found.same and found.compared[0].position == 1
    now = f"{100 * output.shares[third]:.1f} %"
    assert found.compared[0].said == f"{first}, and {third} before; {third} had 98.9 % and has {now}"


OUTPUT = {"seed": 0, "text": "t", "tokens": [1], "stop_reason": ""}


def damaged(**changes) -> bytes:
    good = {
        "run_card": 1,
        "made": "2026-01-01T00:00:00+00:00",
        "model": {"name": "m", "hash": "h"},
        "packages": {},
        "prompt": {},
        "outputs": [OUTPUT],
    }
    return json.dumps({name: value for name, value in {**good, **changes}.items() if value is not None}).encode()


def test_a_card_written_by_hand_is_read():
    assert read(damaged()).outputs == (Output(0, "t", (1,)),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no run card"),
        (b'{"text": "a prompt"}', "no run card"),
        (damaged(run_card=2), "of version 2"),
        (damaged(outputs=None), "damaged.*outputs"),
        (damaged(outputs={"seed": 1}), "are given in a list"),
        (damaged(outputs=[{"seed": 1}]), "damaged"),
        (damaged(outputs=[3]), "damaged"),
        (damaged(outputs=[{"seed": "1", "text": "t", "tokens": [], "stop_reason": ""}]), "seed is a whole number"),
        (damaged(outputs=[{"seed": 0, "text": "t", "tokens": [2**40], "stop_reason": ""}]), "whole number from 0"),
        (damaged(outputs=[{"seed": 0, "text": None, "tokens": [], "stop_reason": ""}]), "outputs are texts"),
        (damaged(prompt={"responses": 2}), "not those of its prompt's seeds"),
        (damaged(prompt={"labels": ["a", "b"]}), "not those of its prompt's labels, .'a', 'b'"),
        (damaged(outputs=[OUTPUT | {"shares": {"a": 1}}]), "not those of its prompt's labels"),
        (damaged(outputs=[OUTPUT | {"shares": {"a": 2}}]), "A share is a number from 0 to 1"),
        (damaged(outputs=[OUTPUT | {"shares": [1]}]), "damaged"),
        (damaged(made="yesterday"), "damaged"),
        (damaged(model="m"), "damaged"),
        (damaged(packages=[1]), "damaged"),
        (damaged(prompt={"txt": "a"}), "no 'txt'"),
        (damaged(prompt={"config": {"temperature": -1}}), "[Tt]emperature"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(content, said):
    with pytest.raises(CourseError, match=said):
        read(content)
