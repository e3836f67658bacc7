"""Adapters that are loaded, replaced, followed, split and dropped while an endpoint runs."""

import json
import re
import shutil
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from scipy.stats import binomtest

from tests.serving.conftest import ask, process, tiny_language_model
from tests.test_registry import add, logits, tuned
from tests.test_tracking import until
from tests.tiny_models import save
from utils import registry
from utils.errors import UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.serving import adapters as module
from utils.serving.adapters import Adapters, Part, adapter_bytes, chosen
from utils.serving.refusals import Refusal
from utils.serving.requests import Adapter, Event, Request, Token
from utils.serving.settings import Limits

PROMPT = "ab: cd"
USERS = [f"user {n}" for n in range(4000)]
PLACES = ("../reviews", "/etc/passwd", "http://evil.example/adapter", "file:///tmp/a", "C:\\adapters\\a", "a/../b")
NO_REFERENCES = (*PLACES, "", "a/0", "a/x", "a@", "a@@b", "a/1/2", "a\r\nX-Header: 1", "a\x00", "a" * 200, "é")


@pytest.fixture(scope="module")
def base() -> LanguageModel:
    return tiny_language_model()


@pytest.fixture(scope="module")
def folders(base, tmp_path_factory) -> dict[str, Path]:
    """Folders of adapters that differ."""
    place = tmp_path_factory.mktemp("adapters")
    made = (("one", "lora", 1), ("two", "lora", 2), ("bottleneck", "bottleneck", 3))
    return {name: tuned(base, method, place / name, scale=0.3, seed=seed) for name, method, seed in made}


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def store(cache, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(cache))


@contextmanager
def away(tmp_path: Path, *, server: bool) -> Generator[None]:
    """The registry's file is not there, or its server does not answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_TUNING", str(tmp_path / "nowhere"))
        if server:
            patch.setenv("MLFLOW_TRACKING_URI", "http://name:secret@127.0.0.1:1")
        yield


FILE_OR_SERVER = pytest.mark.parametrize(("server", "why"), [(False, "is not there"), (True, "no connection")])


@pytest.fixture
def adapters(base) -> Adapters:
    return Adapters(base, Limits(adapters=4))


def refusal(call, *arguments, **named) -> Refusal:
    with pytest.raises(Refusal) as raised:
        call(*arguments, **named)
    return raised.value


def found(adapters: Adapters, name: str, **named) -> Adapter:
    adapter = adapters.find(name, **named)
    assert adapter is not None
    return adapter


def damage(version: registry.Version) -> None:
    file = version.folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def test_the_base_answers_under_its_own_name_and_what_is_unknown_is_a_404(adapters, base, folders):
    add("known", folders["one"])
    assert adapters.find(base.name) is None
    for name in ("known", "", *PLACES):
        refused = refusal(adapters.find, name)
        assert (refused.status, refused.parameter) == (404, "model")
    adapters.add("known")
    assert adapters.names() == [base.name, "known"]
    assert found(adapters, "known").reference == "known/1"
    assert refusal(adapters.find, "known/1").status == 404


def test_of_a_lora_the_matrices_are_kept_and_of_other_kinds_the_model(adapters, base, folders):
    """What the matrices compute beside the base's layers is `test_runners`' part."""
    for name in ("one", "bottleneck"):
        add(f"kind {name}", folders[name])
        adapters.add(f"kind {name}")
    lora, other = (found(adapters, f"kind {name}") for name in ("one", "bottleneck"))
    assert lora.model is None and lora.weights
    saved = [name for name in registry_tensors(registry.find("kind one")) if "lora_A" in name]
    assert len(lora.weights) == len(saved)
    rank, sizes = 8, [sum(base.model.get_submodule(name).weight.shape) for name in lora.weights]
    assert adapter_bytes(lora, base) == sum(4 * rank * size for size in sizes)
    assert other.weights is None and other.model is not None
    assert torch.equal(logits(other.model), logits(registry.load("kind bottleneck", base=base)))
    assert adapter_bytes(other, base) == sum(
        t.nbytes for t in registry_tensors(registry.find("kind bottleneck")).values()
    )
    assert lora.fingerprint != other.fingerprint


def registry_tensors(version: registry.Version) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {name: tensor for file in version.folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def test_a_version_under_two_names_is_held_once(adapters, folders):
    add("twice", folders["one"])
    adapters.add("twice")
    adapters.add("twice/1")
    assert adapters.find("twice") is adapters.find("twice/1")


@pytest.mark.parametrize("reference", NO_REFERENCES)
def test_what_is_no_reference_is_refused_before_anything_is_read(adapters, reference, monkeypatch):
    monkeypatch.setattr(module, "find_each", lambda references: pytest.fail("the registry was asked"))
    calls = [adapters.add, lambda name: adapters.load_all([name]), lambda name: adapters.split(name, {"good": 1})]
    for call in calls:
        refused = refusal(call, reference)
        assert refused.status == 400 and str(refused).isprintable()
    assert len(adapters.names()) == 1


def test_an_alias_that_moves_is_followed_and_who_uses_the_old_one_goes_on(adapters, base, folders):
    add("moved", folders["one"])
    registry.set_alias("moved", 1, "best")
    for reference in ("moved", "moved@best", "moved/1"):
        adapters.add(reference)
    before = found(adapters, "moved")
    add("moved", folders["two"])
    adapters.follow()
    assert [found(adapters, name).reference for name in ("moved", "moved@best", "moved/1")] == [
        "moved/2",
        "moved/1",
        "moved/1",
    ]
    registry.set_alias("moved", 2, "best")
    registry.set_default("moved", 1)
    adapters.follow()
    assert [found(adapters, name).reference for name in ("moved", "moved@best")] == ["moved/1", "moved/2"]
    assert before.reference == "moved/1" and before.weights


def test_a_version_that_cannot_be_loaded_does_not_take_over(adapters, folders, caplog):
    add("damaged", folders["one"])
    adapters.add("damaged")
    held = adapters.find("damaged")
    damage(add("damaged", folders["two"]))
    adapters.follow()
    adapters.follow()
    assert adapters.find("damaged") is held
    [part] = adapters.parts("damaged")
    assert part.problem and part.problem.startswith("damaged/2 cannot be loaded. ")
    assert [record.message for record in caplog.records] == [part.problem]
    assert str(registry.find("damaged").folder) not in part.problem
    add("damaged", folders["bottleneck"])
    adapters.follow()
    assert found(adapters, "damaged").reference == "damaged/3"
    assert adapters.parts("damaged")[0].problem is None


def test_a_damaged_adapter_harms_only_itself_and_is_tried_again(adapters, folders, monkeypatch):
    add("good", folders["one"])
    version = add("bad", folders["two"])
    damage(version)
    [problem] = adapters.load_all(["good", "bad"])
    assert found(adapters, "good").reference == "good/1"
    assert (refusal(adapters.find, "bad").status, str(refusal(adapters.find, "bad"))) == (409, problem)
    shutil.copy(folders["two"] / "adapter_model.safetensors", version.folder)
    adapters.follow()
    assert refusal(adapters.find, "bad").status == 409, "a version that failed is not read at every turn"
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    adapters.follow()
    assert found(adapters, "bad").reference == "bad/1"


def test_a_scale_that_makes_weights_infinite_is_a_409(adapters, folders):
    version = add("far too large", folders["one"])
    config = version.folder / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"lora_alpha": 1e42}))
    refused = refusal(adapters.add, "far too large")
    assert refused.status == 409
    assert re.match("far too large/1 cannot be loaded. Its lora_alpha makes .*layers.* infinite: ", str(refused))


def test_replacing_by_what_cannot_be_loaded_changes_nothing(adapters, folders):
    add("kept", folders["one"])
    adapters.add("kept")
    held = adapters.find("kept")
    damage(add("kept", folders["two"], make_default=False))
    assert refusal(adapters.add, "kept/2", name="kept").status == 409
    assert refusal(adapters.add, "kept/9", name="kept").status == 404
    assert refusal(adapters.split, "kept", {"kept/1": 1.0, "kept/2": 1.0}).status == 409
    assert adapters.find("kept") is held
    add("kept", folders["two"], make_default=False)
    adapters.add("kept/3", name="kept")
    assert found(adapters, "kept").reference == "kept/3"


def test_the_base_name_is_no_adapters_from_the_start(adapters, base, folders):
    add(base.name, folders["one"])
    refused = refusal(adapters.load_all, [base.name])
    assert (refused.status, refused.parameter) == (400, "reference") and adapters.find(base.name) is None


def test_a_name_stands_for_its_own_model_only_and_a_number_for_itself(adapters, folders):
    for name in ("this", "other"):
        add(name, folders["one"])
        add(name, folders["two"])
    for name, reference in (("this", "other"), ("this/1", "this/2"), ("this/1", "this"), ("../this", "this")):
        assert refusal(adapters.add, reference, name=name).status == 400
    adapters.add("this/1", name="this@best")
    assert found(adapters, "this@best").reference == "this/1"


@FILE_OR_SERVER
def test_while_the_registry_is_away_what_is_held_goes_on(adapters, folders, tmp_path, caplog, server, why):
    add("held", folders["one"])
    adapters.add("held")
    add("held", folders["two"])
    before = found(adapters, "held").reference
    with away(tmp_path, server=server):
        adapters.follow()
        adapters.follow()
        assert found(adapters, "held").reference == before
        assert adapters.problem and why in adapters.problem and "secret" not in adapters.problem
        assert refusal(adapters.add, "held/2").status == 409
    adapters.follow()
    assert adapters.problem is None
    assert found(adapters, "held").reference == registry.find("held").reference != before
    told = [record.message for record in caplog.records if record.name == "utils.serving"]
    assert len(told) == 2 and why in told[0] and told[1] == "The registry answers again."


@FILE_OR_SERVER
def test_what_cannot_be_read_at_start_is_a_409_until_the_registry_is_back(adapters, folders, tmp_path, server, why):
    add("later", folders["one"])
    with away(tmp_path, server=server):
        [problem] = adapters.load_all(["later/1"])
        assert why in problem
        adapters.follow()
        assert not (tmp_path / "nowhere").exists(), "an endpoint makes no store"
    refused = refusal(adapters.find, "later/1")
    assert (refused.status, refused.parameter, str(refused)) == (409, "model", problem)
    adapters.follow()
    assert found(adapters, "later/1").reference == "later/1"


def test_what_the_registry_has_deleted_answers_no_more(adapters, folders):
    for _ in range(2):
        add("deleted", folders["one"])
    for reference in ("deleted", "deleted/1"):
        adapters.add(reference)
    in_use = found(adapters, "deleted/1")
    registry.delete("deleted", 1)
    adapters.follow()
    assert refusal(adapters.find, "deleted/1").status == 404
    assert found(adapters, "deleted").reference == "deleted/2"
    assert in_use.weights, "a request that runs keeps it"
    registry.delete("deleted")
    adapters.follow()
    assert refusal(adapters.find, "deleted").status == 404
    add("deleted", folders["two"])
    adapters.follow()
    again = found(adapters, "deleted/1")
    assert again is adapters.find("deleted") and again.fingerprint != in_use.fingerprint


def test_a_model_made_anew_with_the_same_number_is_another_version(adapters, folders):
    add("anew", folders["one"])
    adapters.add("anew/1")
    before = found(adapters, "anew/1")
    registry.delete("anew")
    add("anew", folders["two"])
    adapters.follow()
    assert found(adapters, "anew/1").fingerprint != before.fingerprint


def test_a_dropped_name_is_unknown_and_leaves_room(adapters, folders):
    add("room", folders["one"])
    adapters.load_all(["room", "room/1", "room@default"])
    assert refusal(adapters.split, "room", {"room/1": 1.0, "room@default": 1.0, "room": 1.0}).status == 409
    adapters.split("room", {"room/1": 1.0, "room@default": 1.0})
    assert refusal(adapters.load_all, ["room@other"]).status == 409
    adapters.drop("room/1")
    assert refusal(adapters.find, "room/1").status == 404
    assert refusal(adapters.drop, "room/1").status == 404
    adapters.load_all(["room@other"])


def parts(**weights: float) -> list[Part]:
    return [Part(reference, weight) for reference, weight in weights.items()]


def answers(*weights: float) -> list[str]:
    split = parts(**{f"r{n}": weight for n, weight in enumerate(weights)})
    return [chosen(split, user).reference for user in USERS]


@pytest.mark.parametrize("weights", [(9, 1), (1, 1), (0.5, 0.25, 0.25), (1e-6, 2e-6), (99, 1)])
def test_each_part_gets_users_by_its_weight(weights):
    got = answers(*weights)
    for n, weight in enumerate(weights):
        share = weight / sum(weights)
        assert binomtest(got.count(f"r{n}"), len(USERS), share).pvalue > 1e-4


def test_a_user_stays_and_only_those_move_that_must():
    before = answers(90, 10)
    assert answers(90, 10) == before and answers(9, 1) == before
    assert [chosen(parts(r1=10, r0=90), user).reference for user in USERS] == before
    after = answers(80, 20)
    moves = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
    assert moves == {("r0", "r1")}
    moved = sum(old != new for old, new in zip(before, after, strict=True))
    assert binomtest(moved, len(USERS), 0.1).pvalue > 1e-4
    three = answers(80, 20, 25)
    assert {(old, new) for old, new in zip(after, three, strict=True) if old != new} == {("r0", "r2"), ("r1", "r2")}


def test_a_split_is_sticky_by_user_and_drawn_anew_without(adapters, folders):
    add("split", folders["one"])
    add("split", folders["two"])
    adapters.split("split", {"split/1": 3, "split/2": 1})
    for user in (*USERS[:50], "\ud800", "한국어", "a\nb"):
        assert len({found(adapters, "split", user=user).reference for _ in range(5)}) == 1
    assert {found(adapters, "split").reference for _ in range(300)} == {"split/1", "split/2"}
    assert {found(adapters, "split", user=user).reference for user in USERS[:50]} == {"split/1", "split/2"}
    adapters.add("split")
    assert {found(adapters, "split").reference for _ in range(100)} == {"split/2"}


def test_in_a_split_a_deleted_version_is_a_404_for_its_users_only(adapters, folders):
    add("half", folders["one"])
    add("half", folders["two"])
    adapters.split("half", {"half/1": 1, "half/2": 1})
    before = {user: found(adapters, "half", user=user).reference for user in USERS[:40]}
    registry.delete("half", 1)
    adapters.follow()
    for user, reference in before.items():
        if reference == "half/1":
            assert refusal(adapters.find, "half", user=user).status == 404
        else:
            assert found(adapters, "half", user=user).reference == "half/2"


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), "1", True, 10**400])
def test_a_weight_is_a_positive_number(adapters, folders, weight):
    add("weighed", folders["one"])
    with pytest.raises(UnsupportedSetting, match="a number above 0"):
        adapters.split("weighed", {"weighed": weight})
    assert refusal(adapters.split, "weighed", {}).status == 400


def test_many_threads_ask_while_a_name_is_replaced_and_dropped(adapters, folders):
    add("busy", folders["one"])
    add("busy", folders["two"])
    adapters.add("busy")
    stop, seen = threading.Event(), set()

    def ask() -> None:
        while not stop.wait(0.001):
            try:
                seen.add(found(adapters, "busy").reference)
            except Exception as error:
                seen.add(getattr(error, "status", error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in (1, 2, 1, 2):
        adapters.add(f"busy/{number}", name="busy")
        adapters.follow()
        until(lambda number=number: f"busy/{number}" in seen)
    adapters.drop("busy")
    until(lambda: 404 in seen)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == {"busy/1", "busy/2", 404}


def test_the_thread_follows_by_itself_and_outlives_what_a_store_raises(base, folders, monkeypatch, caplog):
    add("alone", folders["one"])
    adapters = Adapters(base, Limits(), follow_seconds=0.05)
    adapters.add("alone")
    asked, real = [], module.find_each

    def faulty(references):
        asked.append(references)
        if len(asked) == 1:
            raise ValueError("the store is mad")
        return real(references)

    monkeypatch.setattr(module, "find_each", faulty)
    adapters.start()
    add("alone", folders["two"])
    until(lambda: found(adapters, "alone").reference == "alone/2", seconds=60)
    adapters.stop()
    assert "The registry was not followed." in caplog.text


def text(answered: list[Event]) -> str:
    return "".join(event.text for event in answered if isinstance(event, Token))


def completed(served: SimpleNamespace, name: str, prompt: str = PROMPT, **settings) -> str:
    body = {"model": name, "prompt": prompt, "max_tokens": 20, "temperature": 0, **settings}
    return ask(f"{served.url}/completions", body).json["choices"][0]["text"]


@pytest.fixture
def served(tiny_endpoint) -> Generator[SimpleNamespace]:
    """The endpoint, and no adapter that another test has left."""
    yield tiny_endpoint
    _, *names = tiny_endpoint.endpoint.adapters.names()
    for name in names:
        tiny_endpoint.endpoint.adapters.drop(name)


def test_adapters_are_loaded_listed_replaced_and_dropped_over_http(served, folders):
    add("live", folders["one"])
    add("live", folders["bottleneck"], make_default=False)
    url, base = f"{served.url}/adapters", served.endpoint.model
    assert ask(url).json == {"object": "list", "data": [], "problem": None}
    loaded = ask(url, {"reference": "live"})
    adapter = found(served.endpoint.adapters, "live")
    part = {"reference": "live", "weight": 1.0, "version": "live/1", "fingerprint": adapter.fingerprint, "kind": "lora"}
    part |= {"bytes": adapter_bytes(adapter, base), "problem": None}
    assert (loaded.status, loaded.json) == (200, {"object": "adapter", "name": "live", "split": [part]})
    assert ask(url).json["data"] == [loaded.json]
    alone = {n: registry.load(f"live/{n}", base=base).generate(PROMPT, max_new_tokens=20) for n in (1, 2)}
    assert completed(served, "live") == alone[1] != completed(served, base.name)
    replaced = ask(url, {"name": "live", "reference": "live/2"}).json["split"][0]
    assert (replaced["version"], replaced["kind"]) == ("live/2", "bottleneck")
    assert completed(served, "live") == alone[2]
    dropped = ask(f"{url}/live", method="DELETE")
    assert (dropped.status, dropped.json) == (200, {"object": "adapter", "name": "live", "deleted": True})
    again = ask(f"{url}/live", method="DELETE")
    assert (again.status, again.json["error"]["code"]) == (404, "model_not_found")


def test_a_split_over_http_keeps_each_user_with_a_version(served, folders):
    for name in ("one", "two"):
        add("shared out", folders[name])
    split = {"shared out/1": 1, "shared out/2": 1}
    answered = ask(f"{served.url}/adapters/shared%20out", {"split": split}, method="PUT")
    assert [(part["version"], part["weight"]) for part in answered.json["split"]] == [*split.items()]
    texts = {user: completed(served, "shared out", user=user) for user in USERS[:12]}
    assert len(set(texts.values())) == 2
    assert texts == {user: completed(served, "shared out", user=user) for user in USERS[:12]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "named"),
    [
        *[("POST", "", {"reference": place}, 400, "reference") for place in NO_REFERENCES if "\x00" not in place],
        ("POST", "", {"reference": "nowhere"}, 404, "reference"),
        ("POST", "", {"reference": "a", "path": "/tmp"}, 400, "path"),
        ("POST", "", {"reference": 7}, 400, "reference"),
        ("POST", "", {}, 400, "reference"),
        ("PUT", "/a", {"split": {}}, 400, "split"),
        ("PUT", "/a", {"split": {"a/1": 0}}, 400, "split"),
        ("PUT", "/a", {"split": {"a/1": "1"}}, 400, "split"),
        ("PUT", "/a", {"split": {"../a": 1}}, 400, "split"),
        ("PUT", "/a", {"split": {"b/1": 1}}, 400, "name"),
        ("PUT", "/tiny", {"split": {"tiny/1": 1}}, 400, "split"),
        ("DELETE", "/..%2F..%2Fetc", None, 404, "model"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_words(served, folders, method, path, body, status, named):
    add("of the store", folders["one"])
    answered = ask(f"{served.url}/adapters{path}", body, method=method)
    error = answered.json["error"]
    assert (answered.status, error["param"]) == (status, named)
    assert "Traceback" not in error["message"] and error["message"].endswith((".", "supported."))
    assert served.endpoint.adapters.names() == ["tiny"]


def test_an_adapter_that_is_deleted_while_rows_use_it_finishes_them(served, folders):
    """The scheduler waits, inside its first token, until version and name are gone."""
    add("in use", folders["one"])
    endpoint, events, ended = served.endpoint, [], threading.Event()
    endpoint.adapters.add("in use")
    alone = registry.load("in use", base=endpoint.model).generate(PROMPT, max_new_tokens=20)

    def emit(number: int, event: Event) -> None:
        if not events:
            registry.delete("in use")
            endpoint.adapters.follow()
            assert refusal(endpoint.adapters.find, "in use").status == 404
            endpoint.adapters.drop("in use")
        events.append(event)
        if not isinstance(event, Token) or event.finish:
            ended.set()

    config = DecodingConfig(temperature=0, max_new_tokens=20)
    ids = tuple(endpoint.model.encode(PROMPT))
    endpoint.scheduler.submit([Request(ids, config, endpoint.adapters.find("in use"))], emit)
    assert ended.wait(60)
    assert text(events) == alone


@pytest.mark.process
def test_a_process_follows_the_registry_and_a_damaged_adapter_stops_nothing(base, folders, tmp_path):
    model = str(save(tmp_path / "model", base.model, base.tokenizer))
    for name in ("one", "two"):
        add("followed", folders[name])
    registry.set_alias("followed", 1, "best")
    damage(add("spoilt", folders["one"]))
    alone = {n: registry.load(f"followed/{n}", base=base).generate(PROMPT, max_new_tokens=20) for n in (1, 2)}
    named = ("--adapter", "followed@best", "--adapter", "spoilt", "--adapter", "missing")
    with process("--model", model, "--follow-seconds", "0.2", *named) as served:
        ids = [one["id"] for one in ask(f"{served.url}/models").json["data"]]
        assert ids == [model, "followed@best", "spoilt", "missing"]
        assert completed(served, "followed@best") == alone[1]
        body = {"prompt": PROMPT, "max_tokens": 1}
        statuses = [ask(f"{served.url}/completions", body | {"model": name}).status for name in ("spoilt", "missing")]
        assert statuses == [409, 404]
        registry.set_alias("followed", 2, "best")
        until(lambda: completed(served, "followed@best") == alone[2], seconds=60)
