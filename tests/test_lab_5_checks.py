"""What the tables of right and wrong answers do not say of Lab 5: the model behind 5.1, endpoints with faults."""

import pytest

from tests.answers.lab_5 import SOLUTIONS
from utils.datasets.sets import load_set
from utils.errors import ContextWindowExceeded, DataError
from utils.exercises import lab_5
from utils.exercises.checks import assess
from utils.exercises.endpoints import FAULTS, NO_FAULT, TESTS, every_answer_right, faults_found, stand_in

TICKETS = load_set("tickets", "validation")[: lab_5.SEEN_BY_THE_MODEL]


def test_the_model_s_share_of_right_teams_stands_below_the_verdict(monkeypatch):
    by_text = {ticket.input_text: ticket.output_text for ticket in TICKETS}

    def predict(model, prompts, labels):
        asked = [next(team for text, team in by_text.items() if text in prompt) for prompt in prompts]
        return [labels.index(f" {team}") for team in asked[:-1]] + [(labels.index(f" {asked[-1]}") + 1) % len(labels)]

    monkeypatch.setattr(lab_5, "predict_labels", predict)
    verdict, right = assess("5.1", SOLUTIONS["5.1"], model=object())
    assert right and verdict.endswith("finds the right team of 19 of 20 validation tickets.")


def test_a_prompt_that_the_model_cannot_read_is_right_all_the_same(monkeypatch):
    def refuse(model, prompts, labels):
        raise ContextWindowExceeded("The prompt is too long.")

    monkeypatch.setattr(lab_5, "predict_labels", refuse)
    verdict, right = assess("5.1", SOLUTIONS["5.1"], model=object())
    assert right and verdict.endswith("The model could not read your prompt: The prompt is too long.")


def test_only_the_strongest_test_finds_every_fault():
    found = {row[0]: row[1:] for row in faults_found(lab_5.ANSWERS).rows}
    assert list(found) == [fault for fault in FAULTS if fault != NO_FAULT]
    by_test = dict(zip(TESTS, zip(*found.values(), strict=True), strict=True))
    assert set(by_test["it answers"]) == {"-"} and set(by_test["every answer"]) == {"found"}
    assert all("-" in by_test[name] for name in list(TESTS)[:-1])


def test_no_test_finds_a_fault_where_there_is_none():
    assert all(test(stand_in(lab_5.ANSWERS), lab_5.ANSWERS) for test in TESTS.values())


def test_a_fault_stays_where_an_endpoint_is_asked_again():
    for fault in FAULTS:
        endpoint = stand_in(lab_5.ANSWERS, fault)
        found = {every_answer_right(endpoint, lab_5.ANSWERS) for _ in range(3)}
        assert found == {fault == NO_FAULT}, fault


def test_a_stand_in_knows_its_table_and_its_faults():
    with pytest.raises(DataError, match="no answer of 'minutes' to 'Hello'"):
        stand_in(lab_5.ANSWERS).complete("Hello", model="minutes")
    with pytest.raises(DataError, match="no fault 'slow': take one of none, the base answers for all"):
        stand_in(lab_5.ANSWERS, "slow")
    assert "fault" not in repr(stand_in(lab_5.ANSWERS, "adapters are exchanged"))
