"""What an OpenAI-compatible endpoint promises its clients; `make contract` holds any address to it."""

import json
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.serving.conftest import ask

pytestmark = [pytest.mark.process, pytest.mark.model, pytest.mark.slow]

HALF = "\N{REPLACEMENT CHARACTER}"
FRANCE = "The capital of France is"
TURNS = [
    {"role": "system", "content": "You answer in one word."},
    {"role": "user", "content": "Which colour is the sky?"},
    {"role": "assistant", "content": "Blue."},
    {"role": "user", "content": "And grass?"},
]
PROMPTS = (
    "One, two,",
    "The cat sat on",
    "Once upon a",
    "Water is",
    "She said that",
    "My name is",
    "In 1999",
    "A b c d",
)


def texts(answer) -> list[str]:
    """Return the texts of an answer's choices in the order of their indices."""
    choices = sorted(answer.choices, key=lambda choice: choice.index)
    return [choice.message.content if hasattr(choice, "message") else choice.text for choice in choices]


def streamed(chunks) -> tuple[str, list[str]]:
    """Return the text of a stream of one choice, and the reasons for which it ended."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    pieces = [choice.delta.content if hasattr(choice, "delta") else choice.text for choice in choices]
    return "".join(piece or "" for piece in pieces), [one.finish_reason for one in choices if one.finish_reason]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("complete", {"prompt": FRANCE, "max_tokens": 12}),
        ("complete", {"prompt": FRANCE, "max_tokens": 12, "temperature": 1.2, "top_p": 0.9, "seed": 4}),
        ("complete", {"prompt": FRANCE, "max_tokens": 12, "stop": "."}),
        ("chat", {"messages": TURNS, "max_tokens": 12}),
    ],
)
def test_a_stream_is_the_answer_in_pieces_and_ends_once(contract, kind, asked):
    asking = getattr(contract, kind)
    answer, chunks = asking(**asked), list(asking(**asked, stream=True, stream_options={"include_usage": True}))
    [choice], [text] = answer.choices, texts(answer)
    assert streamed(chunks) == (text, [choice.finish_reason])
    assert chunks[-1].choices == [] and all(chunk.usage is None for chunk in chunks[:-1])
    counted = [
        (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) for usage in (answer.usage, chunks[-1].usage)
    ]
    assert counted[0] == counted[1]
    assert len({chunk.id for chunk in chunks}) == 1 and text


def test_a_stream_ends_with_done(contract):
    asking = contract.client.completions.with_streaming_response.create
    with asking(model=contract.model, prompt=FRANCE, max_tokens=2, stream=True) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]" and lines.count("data: [DONE]") == 1


def test_usage_is_exact_to_the_token(contract):
    answer = contract.complete(prompt=FRANCE, max_tokens=7, logprobs=0)
    assert answer.usage.completion_tokens == len(answer.choices[0].logprobs.tokens) == 7
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 7
    ids = [*range(300, 309)]
    assert contract.complete(prompt=ids, max_tokens=1).usage.prompt_tokens == len(ids)
    assert contract.complete(prompt=[ids, ids[:4]], max_tokens=1).usage.prompt_tokens == len(ids) + 4
    assert contract.complete(prompt=FRANCE, n=2, max_tokens=3, temperature=1).usage.completion_tokens <= 6
    if contract.own:
        assert answer.usage.prompt_tokens == contract.own.count_tokens(FRANCE)


def test_a_prompt_may_be_ids(contract):
    if not contract.own:
        pytest.skip("the tokenizer of a foreign endpoint is not known")
    ids = contract.own.encode(FRANCE)
    by_text, by_ids = (contract.complete(prompt=prompt, max_tokens=8) for prompt in (FRANCE, ids))
    assert texts(by_ids) == texts(by_text) and by_ids.usage == by_text.usage


@pytest.mark.parametrize("logprobs", [0, 5])
def test_logprobs_stand_beside_every_token(contract, logprobs):
    answer = contract.complete(prompt=FRANCE, max_tokens=4, logprobs=logprobs)
    rows = answer.choices[0].logprobs
    assert "".join(rows.tokens) == answer.choices[0].text
    assert len(rows.token_logprobs) == 4 and all(logprob <= 0 for logprob in rows.token_logprobs)
    for token, logprob, likeliest in zip(rows.tokens, rows.token_logprobs, rows.top_logprobs, strict=True):
        assert logprobs <= len(likeliest) <= logprobs + 1
        assert likeliest[token] == logprob == max(likeliest.values())  # greedy


def test_a_chat_tells_the_likeliest_tokens(contract):
    rows = contract.chat(messages=TURNS, max_tokens=3, logprobs=True, top_logprobs=2).choices[0].logprobs.content
    for row in rows:
        assert [top.logprob for top in row.top_logprobs] == sorted(
            (top.logprob for top in row.top_logprobs), reverse=True
        )
        assert (row.token, row.logprob) == (row.top_logprobs[0].token, row.top_logprobs[0].logprob)
        assert bytes(row.bytes).decode() == row.token or not row.bytes


def test_choices_are_distinct_and_numbered(contract):
    answer = contract.complete(prompt=FRANCE, n=3, max_tokens=12, temperature=1.5, seed=1)
    assert sorted(choice.index for choice in answer.choices) == [0, 1, 2] and len(set(texts(answer))) == 3
    chunks = contract.complete(prompt=FRANCE, n=3, max_tokens=12, temperature=1.5, seed=1, stream=True)
    found = ["", "", ""]
    for choice in [choice for chunk in chunks for choice in chunk.choices]:
        found[choice.index] += choice.text
    assert found == texts(answer)


@pytest.mark.parametrize("line", ["안녕하세요 🙂🎉", "🙂 👩‍👩‍👧 한국어 é"])
def test_characters_are_never_streamed_in_halves(contract, line):
    asked = {"prompt": f"{line}\n" * 5, "max_tokens": 40, "stop": "\n"}
    pieces = [choice.text for chunk in contract.complete(**asked, stream=True) for choice in chunk.choices]
    assert HALF not in "".join(pieces) and [("".join(pieces))] == texts(contract.complete(**asked))
    assert "".join(pieces) == line  # it repeats what it has read five times, so each character was really written


def test_a_stop_string_is_found_across_tokens(contract):
    answer = contract.complete(prompt="Count: one, two, three,", max_tokens=16, logprobs=0)
    [whole], tokens = texts(answer), answer.choices[0].logprobs.tokens
    stop = f"{tokens[2][-1]}{tokens[3]}{tokens[4][:1]}"
    before = whole[: whole.index(stop)]
    asked = {"prompt": "Count: one, two, three,", "max_tokens": 16, "stop": [stop, "not in it"]}
    stopped = contract.complete(**asked)
    assert (texts(stopped), stopped.choices[0].finish_reason) == ([before], "stop")
    assert streamed(contract.complete(**asked, stream=True)) == (before, ["stop"])


def test_a_stop_string_that_begins_in_the_prompt_does_not_stop(contract):
    [whole] = texts(contract.complete(prompt=FRANCE, max_tokens=8))
    stop = FRANCE[-2:] + whole[:4]
    assert stop not in whole
    assert texts(contract.complete(prompt=FRANCE, max_tokens=8, stop=[stop, FRANCE[-6:]])) == [whole]


def test_200_clients_one_after_another_get_what_one_gets_alone(contract):
    expected = contract.alone(PROMPTS, max_tokens=2)
    found = [texts(contract.complete(prompt=PROMPTS[n % len(PROMPTS)], max_tokens=2)) for n in range(200)]
    assert found == [[expected[n % len(PROMPTS)]] for n in range(200)]


def test_32_clients_at_once_get_what_one_gets_alone(contract):
    prompts = [f"{prompt} {n}" if n % 2 else prompt for n, prompt in enumerate(PROMPTS * 4)]
    expected = contract.alone(prompts, max_tokens=6)
    with ThreadPoolExecutor(32) as clients:
        found = list(clients.map(lambda prompt: texts(contract.complete(prompt=prompt, max_tokens=6)), prompts))
    assert found == [[text] for text in expected]


def test_models_interleaved_answer_as_each_does_alone(contract):
    names = [model.id for model in contract.client.models.list().data]
    if len(names) == 1:
        pytest.skip("the endpoint has one model; test_openai.py interleaves this course's adapters")
    asked = [(name, prompt) for prompt in PROMPTS for name in names]

    def complete(name: str, prompt: str) -> list[str]:
        return texts(contract.complete(model=name, prompt=prompt, max_tokens=8))

    expected = [complete(*one) for one in asked]
    with ThreadPoolExecutor(len(asked)) as clients:
        assert list(clients.map(lambda one: complete(*one), asked)) == expected


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"max_tokens": "four"}, "max_tokens"),
        ({"temperature": [1]}, "temperature"),
        ({"prompt": {"text": "a"}}, "prompt"),
        ({"logprobs": 1000}, "logprobs"),
        ({"n": 0}, "n"),
        ({"max_tokens": 10**9}, "max_tokens"),
    ],
)
def test_what_cannot_be_answered_is_a_400_that_names_the_field(contract, wrong, field):
    with pytest.raises(openai.BadRequestError) as caught:
        contract.complete(**{"prompt": FRANCE, "max_tokens": 1, **wrong})
    assert field in caught.value.response.text and "Traceback" not in caught.value.response.text
    assert texts(contract.complete(prompt=FRANCE, max_tokens=1))  # the server lives on


def test_a_field_that_is_not_supported_is_named(contract):
    if not contract.own:
        pytest.skip("other servers ignore fields that they do not know")
    with pytest.raises(openai.BadRequestError, match="mirostat"):
        contract.complete(prompt=FRANCE, max_tokens=1, extra_body={"mirostat": 2})


def test_an_unknown_model_is_a_404(contract):
    for asking, prompt in ((contract.complete, {"prompt": FRANCE}), (contract.chat, {"messages": TURNS})):
        with pytest.raises(openai.NotFoundError, match="no-such-model"):
            asking(model="no-such-model", **prompt, max_tokens=1)


def test_json_obeys_its_schema(contract):
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green", "blue"]}, "sure": {"type": "boolean"}},
        "required": ["colour", "sure"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    [text] = texts(contract.chat(messages=TURNS, max_tokens=60, response_format=wanted))
    answer = json.loads(text)
    assert answer.keys() == {"colour", "sure"} and answer["colour"] in {"red", "green", "blue"}
    assert isinstance(answer["sure"], bool)


def test_vertex_gives_the_same_text(contract):
    if not contract.own:
        pytest.skip("the Vertex interface is this course's own")
    url = f"{str(contract.client.base_url).rstrip('/')}/endpoints/{contract.model}:predict"
    parameters = {"temperature": 0, "maxOutputTokens": 8}
    answer = ask(url, {"instances": [{"prompt": FRANCE}], "parameters": parameters})
    assert [one["content"] for one in answer.json["predictions"]] == contract.alone([FRANCE], max_tokens=8)
