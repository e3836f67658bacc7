"""The Vertex interface: predictions as the course itself makes them, counts, versions, errors in Google's shape."""

from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from tests.serving.conftest import Answer, ask
from tests.test_registry import add, tuned
from utils import registry
from utils.decoding.generation import complete_many
from utils.logits.config import DecodingConfig

PROMPT = "ab: cd"


@pytest.fixture(autouse=True)
def store(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def predict(served: SimpleNamespace, *prompts: str, name: str = "tiny", **parameters) -> Answer:
    body = {"instances": [{"prompt": prompt} for prompt in prompts], "parameters": parameters}
    return ask(f"{served.url}/endpoints/{name}:predict", body)


def contents(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [prediction["content"] for prediction in answer.json["predictions"]]


def test_without_parameters_a_prediction_is_greedy_and_128_tokens_long(tiny_endpoint):
    model = tiny_endpoint.endpoint.model
    answer = ask(f"{tiny_endpoint.url}/endpoints/tiny:predict", {"instances": [{"prompt": PROMPT}]})
    assert contents(answer) == [model.generate(PROMPT, max_new_tokens=128)]


def test_candidates_are_drawn_in_the_studios_order_with_the_seeds_that_follow(tiny_endpoint):
    model = tiny_endpoint.endpoint.model
    config = DecodingConfig(temperature=0.9, top_k=30, top_p=0.9, order="studio", max_new_tokens=12)
    settings = {"temperature": 0.9, "topK": 30, "topP": 0.9, "maxOutputTokens": 12, "candidateCount": 3, "seed": -4}
    expected = complete_many(model, PROMPT, config, seeds=range(-4, 2))
    other = complete_many(model, "xyz", config, seeds=range(-4, -1))
    assert len({*expected, *other}) == 9
    answer = predict(tiny_endpoint, PROMPT, "xyz", PROMPT, **settings)
    assert contents(answer) == [*expected[:3], *other, *expected[3:]]
    in_the_other_order = DecodingConfig(temperature=0.9, top_k=30, top_p=0.9, max_new_tokens=12)
    assert complete_many(model, PROMPT, in_the_other_order, seeds=range(-4, 2)) != expected


def test_without_a_seed_each_is_drawn_anew(tiny_endpoint):
    settings = {"temperature": 1.0, "maxOutputTokens": 12, "candidateCount": 4}
    drawn = [content for _ in range(2) for content in contents(predict(tiny_endpoint, PROMPT, **settings))]
    assert len(set(drawn)) == 8


def test_a_stop_sequence_ends_a_prediction(tiny_endpoint):
    whole = contents(predict(tiny_endpoint, PROMPT, maxOutputTokens=12))[0]
    stop = whole[4:6]
    assert contents(predict(tiny_endpoint, PROMPT, maxOutputTokens=12, stopSequences=[stop])) == [
        whole[: whole.index(stop)]
    ]


def test_tokens_and_characters_are_counted(tiny_endpoint):
    model = tiny_endpoint.endpoint.model
    answer = predict(tiny_endpoint, "a b\n c", "def", maxOutputTokens=7, candidateCount=2)
    texts = contents(answer)
    counts = answer.json["metadata"]["tokenMetadata"]
    read = model.count_tokens("a b\n c") + model.count_tokens("def")
    assert counts["inputTokenCount"] == {"totalTokens": read, "totalBillableCharacters": 6}
    assert [len(model.generate(prompt, max_new_tokens=7)) for prompt in ("a b\n c", "def")] == [7, 7]
    written = sum(not letter.isspace() for text in texts for letter in text)
    assert counts["outputTokenCount"] == {"totalTokens": 28, "totalBillableCharacters": written}


def test_the_answer_names_the_model_and_its_version(tiny_endpoint, tmp_path):
    base, adapters = tiny_endpoint.endpoint.model, tiny_endpoint.endpoint.adapters
    answer = predict(tiny_endpoint, PROMPT, maxOutputTokens=3).json
    assert (answer["model"], answer["modelDisplayName"]) == ("tiny", "tiny")
    assert answer["deployedModelId"] == base.fingerprint and "modelVersionId" not in answer
    for seed in (1, 2):
        add("reviews", tuned(base, "lora", tmp_path / f"{seed}", scale=0.3, seed=seed))
    registry.set_alias("reviews", 1, "best")
    expected = {n: registry.load(f"reviews/{n}", base=base).generate(PROMPT, max_new_tokens=12) for n in (1, 2)}
    for name, number in (("reviews", 2), ("reviews@best", 1), ("reviews/1", 1)):
        adapters.add(name)
        for written in (name, quote(name, safe="")):
            answer = predict(tiny_endpoint, PROMPT, name=written, maxOutputTokens=12)
            assert contents(answer) == [expected[number]]
            adapter = adapters.find(name)
            assert adapter is not None
            told = [answer.json[key] for key in ("model", "modelDisplayName", "modelVersionId", "deployedModelId")]
            assert told == [f"reviews/{number}", name, f"{number}", adapter.fingerprint]


INSTANCES = {"instances": [{"prompt": "a"}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "instances"),
        ({"instances": []}, "instances"),
        ({"instances": ["a"]}, "instances[0]"),
        ({"instances": [{"content": "a"}]}, "instances[0].prompt"),
        ({"instances": [{"prompt": "a", "prefix": "b"}]}, "instances[0].prefix"),
        ({"instances": [{"prompt": ""}]}, "instances[0].prompt"),
        ({"instances": [{"prompt": " "}]}, "instances"),
        ({"instances": [{"prompt": "a" * 300}]}, "instances"),
        ({"instances": [{"prompt": "a" * 200}]}, "parameters.maxOutputTokens"),
        ({"instances": [{"prompt": "a"}] * 33}, "instances"),
        (INSTANCES | {"labels": {}}, "labels"),
        (INSTANCES | {"parameters": None}, "parameters"),
    ],
)
def test_what_is_not_taken_is_a_400_that_names_the_field(tiny_endpoint, body, field):
    _check_refused(ask(f"{tiny_endpoint.url}/endpoints/tiny:predict", body), 400, "INVALID_ARGUMENT", field)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("temperature", value) for value in (-0.1, 1.1, "0", True, None)],
        *[("maxOutputTokens", value) for value in (0, -1, 1.5, 1025, 10**30)],
        *[("topK", value) for value in (0, 41, 2.5)],
        *[("topP", value) for value in (-0.1, 1.1)],
        *[("candidateCount", value) for value in (0, 9)],
        *[("seed", value) for value in (2**31, 0.5)],
        ("stopSequences", "a"),
        ("stopSequences", [""]),
        ("max_output_tokens", 5),
        ("logprobs", 1),
        ("groundingConfig", {}),
    ],
)
def test_a_parameter_outside_of_the_studios_range_is_a_400_that_names_it(tiny_endpoint, name, value):
    answer = predict(tiny_endpoint, PROMPT, **{name: value})
    _check_refused(answer, 400, "INVALID_ARGUMENT", f"parameters.{name}")


def test_more_predictions_than_the_endpoint_writes_at_once_are_refused(tiny_endpoint):
    answer = predict(tiny_endpoint, *"abcde", candidateCount=8)
    _check_refused(answer, 400, "INVALID_ARGUMENT", "parameters.candidateCount")


def test_an_unknown_endpoint_is_not_found_and_a_broken_one_is_a_conflict(tiny_endpoint, tmp_path: Path):
    for name in ("nobody", "..%2F..%2Fetc%2Fpasswd", quote("http://evil.example/a", safe="")):
        _check_refused(predict(tiny_endpoint, PROMPT, name=name), 404, "NOT_FOUND", "endpoint")
    adapters = tiny_endpoint.endpoint.adapters
    adapters.load_all(["away"])
    _check_refused(predict(tiny_endpoint, PROMPT, name="away"), 409, "ABORTED", "endpoint")
    adapters.drop("away")


def _check_refused(answer: Answer, code: int, status: str, field: str) -> None:
    assert answer.status == code, answer.body
    error = answer.json["error"]
    assert (error["code"], error["status"]) == (code, status)
    [violation] = error["details"][0]["fieldViolations"]
    assert violation["field"].startswith(field), violation
    assert violation["description"] == error["message"] and error["message"].endswith(".")
