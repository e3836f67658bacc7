"""Responses: the same text streamed, batched and alone; labels as shares; what an endpoint sends."""

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tests.serving.conftest import new_endpoint, serving, tiny_language_model
from utils.decoding.generation import complete_many, generate_stream
from utils.errors import ContextWindowExceeded, EmptyPrompt, EndpointError, UnknownLabel, UnsupportedSetting
from utils.evaluation.classification import score_labels
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.studio.prompt import Prompt
from utils.studio.responses import (
    classify,
    get_ready,
    label_probabilities,
    pieces,
    respond,
    respond_to_all,
    responding,
    stream,
)

CONFIG = DecodingConfig(seed=3, max_new_tokens=6)
ASKED = Prompt(text="The sea is", config=CONFIG, responses=3)
CHAT = replace(ASKED, kind="chat", turns=(("user", "How is the sea?"),))


@pytest.fixture(scope="module")
def here() -> LanguageModel:
    return tiny_language_model()


@pytest.fixture(scope="module")
def there(here):
    """The same model behind an address."""
    with serving(new_endpoint(here)) as endpoint:
        yield load_model(endpoint.url)


def test_each_response_is_what_its_seed_gives_alone(tiny):
    found = respond(tiny, ASKED)
    assert [response.seed for response in found] == [3, 4, 5]
    for response in found:
        steps = list(generate_stream(tiny, "The sea is", replace(CONFIG, seed=response.seed)))
        assert response.text == "".join(step.text for step in steps)
        assert response.tokens == tuple(step.token for step in steps)
        assert response.stop_reason == steps[-1].stop_reason and response.seconds > 0
    assert [response.text for response in found] == complete_many(tiny, "The sea is", CONFIG, seeds=[3, 4, 5])


def test_responses_grow_side_by_side(tiny):
    states = list(responding(tiny, replace(ASKED, config=replace(CONFIG, temperature=0))))
    lengths = [[len(response.tokens) for response in state] for state in states]
    assert lengths[:4] == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1]]
    assert all(not response.stop_reason for response in states[2])


def test_one_seed_is_streamed_alone(here):
    found = list(stream(here, ASKED, seed=4))
    assert {piece.number for piece in found} == {0}
    assert "".join(piece.text for piece in found) == respond(here, ASKED)[1].text


def test_a_stop_sequence_ends_a_response_and_not_the_others(here):
    whole = respond(here, ASKED)
    stop = whole[0].text[2]
    found = respond(here, replace(ASKED, config=replace(CONFIG, stop=(stop,))))
    assert found[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert found[0].stop_reason == "stop sequence"


@pytest.mark.parametrize("asked", [ASKED, CHAT, replace(ASKED, as_chat=True)])
def test_an_endpoint_streams_the_text_of_the_model_itself(here, there, asked):
    found = respond(there, asked)
    assert [response.text for response in found] == [response.text for response in respond(here, asked)]
    assert all(response.tokens == () and response.stop_reason == "max new tokens" for response in found)


def test_an_endpoint_sends_token_by_token(there):
    assert len([piece for piece in pieces(there, replace(ASKED, responses=1)) if piece.text]) > 1


def test_what_an_endpoint_refuses_is_said(there):
    with pytest.raises(ContextWindowExceeded, match="shorten"):
        respond(there, replace(ASKED, text="a " * 5000))
    with pytest.raises(UnsupportedSetting, match="needs a model on this machine"):
        classify(there, replace(ASKED, labels=("good", "bad")))


def test_an_endpoint_that_dies_while_it_writes_is_said():
    with ThreadingHTTPServer(("127.0.0.1", 0), Dying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        coming = pieces(load_model(f"http://127.0.0.1:{server.server_port}/v1"), replace(ASKED, responses=1))
        assert next(coming).text == " calm"
        with pytest.raises(EndpointError, match=r"^No endpoint answers at .* \(.+\): check it"):
            next(coming)
        server.shutdown()


class Dying(BaseHTTPRequestHandler):
    """An endpoint with one model, whose answers break off after the first piece."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer("application/json", "Content-Length", str(len(MODELS)), MODELS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("text/event-stream", "Transfer-Encoding", "chunked", b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
        self.close_connection = True

    def answer(self, kind: str, header: str, value: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


MODELS = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
EVENT = b'data: {"choices": [{"index": 0, "text": " calm", "finish_reason": null}]}\n\n'


def test_nothing_to_ask_is_said(here):
    with pytest.raises(EmptyPrompt):
        respond(here, Prompt())


def test_each_row_has_the_text_that_it_has_alone(here, there):
    asked = [replace(ASKED, text=text, responses=1) for text in ("The sea is", "A ship", "Rain on the roof")]
    found = dict(respond_to_all(here, asked))
    assert [found[n] for n in range(3)] == [respond(here, each)[0].text for each in asked]
    chats = [replace(CHAT, turns=(("user", each.text),)) for each in asked]
    assert dict(respond_to_all(there, chats))[2] == respond(there, replace(chats[2], responses=1))[0].text


def test_labels_have_the_shares_of_their_probabilities(here):
    asked = replace(ASKED, labels=("calm", "rough", "cold water"))
    shares, found = classify(here, asked), label_probabilities(here, asked)
    assert list(shares) == sorted(shares, key=lambda label: -shares[label]) == list(found)
    assert sum(shares.values()) == pytest.approx(1)
    assert 0 < sum(found.values()) < 1
    for label in asked.labels:
        assert shares[label] / shares["calm"] == pytest.approx(found[label] / found["calm"], rel=1e-4)
    assert found["calm"] == pytest.approx(np.exp(score_labels(here, ["The sea is"], [" calm"])[0, 0]), rel=1e-5)


def test_a_label_begins_at_once_behind_a_space(here):
    spaced = replace(ASKED, text="The sea is ", labels=("calm", "rough"))
    one, other = np.exp(score_labels(here, ["The sea is "], ["calm", "rough"])[0])
    assert classify(here, spaced)["calm"] == pytest.approx(one / (one + other))


def test_rows_are_labelled_one_by_one(here):
    asked = [replace(ASKED, text=text, labels=("calm", "rough")) for text in ("The sea is", "A storm is")]
    assert dict(respond_to_all(here, asked)) == {n: next(iter(classify(here, each))) for n, each in enumerate(asked)}


def test_without_labels_nothing_is_chosen(here):
    with pytest.raises(UnknownLabel, match="two or more"):
        classify(here, ASKED)


def test_a_model_gets_ready_and_an_endpoint_is(here, there):
    get_ready(here)
    get_ready(there)
