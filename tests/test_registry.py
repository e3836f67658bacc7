"""The model registry: versions, aliases, adapters on one base, and what goes wrong."""

import errno
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.test_storage import open_folder, read_only
from tests.test_tracking import free_port, start_server, stop
from utils import registry
from utils.adapters.methods import add_adapter, find_method, merge, save_adapter, trained
from utils.errors import AdapterMismatch, CacheUnusable, DataError, DiskFull, RegistryError
from utils.internals import without_known_warnings
from utils.models.language_model import LanguageModel
from utils.registry.tracking import Tracker, connect
from utils.registry.versions import find_each, model_of

LLAMA = pytest.mark.parametrize("saved_model", ["llama"], indirect=True)
PROMPT = "ab: cd"


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def store(cache, monkeypatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COURSE_TUNING", str(cache))
    return cache / "mlflow" / "mlartifacts"


@pytest.fixture
def adapter(tmp_path) -> Path:
    """A folder that looks like an adapter's: 1 MB of weights."""
    from safetensors.torch import save_file

    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter.json").write_text('{"method": "lora", "size": 8, "base": "tiny", "weights": "abc"}')
    save_file({"weight": torch.zeros(250_000)}, folder / "adapter.safetensors")
    return folder


def add(name: str, folder: Path, *, loss: float = 1.0, rate: float = 1e-3, **options) -> registry.Version:
    metrics = {"best_validation_loss": loss, "seconds": 9.0}
    parameters = {"learning_rate": rate, "epochs": 2}
    return registry.register(name, folder, parameters=parameters, metrics=metrics, **options)


def tuned(base: LanguageModel, method: str, folder: Path, *, scale: float, seed: int = 1) -> Path:
    """Save an adapter whose weights are all drawn at random."""
    torch.manual_seed(seed)
    method = find_method(method)
    adapted = add_adapter(base, method)
    with torch.no_grad():
        for _, weight in trained(adapted.model):
            weight.add_(scale * torch.randn_like(weight))
    save_adapter(adapted, method, folder, base=base)
    return folder


def copies(store: Path) -> set[Path]:
    """Return the folders of all adapters beside the store."""
    return {file.parent for file in store.rglob("adapter.json")}


def logits(model: LanguageModel) -> torch.Tensor:
    return model.next_token_logits(PROMPT)


def test_the_newest_version_is_the_default_unless_told_otherwise(adapter):
    first = add("newest", adapter, make_default=False)
    assert (first.number, first.aliases) == (1, ("default",))
    assert add("newest", adapter).aliases == ("default",)
    assert add("newest", adapter, make_default=False).aliases == ()
    assert registry.find("newest").number == 2
    registry.set_default("newest", 3)
    assert registry.find("newest@default").number == 3


def test_a_version_keeps_its_own_copy_and_all_that_was_measured(adapter, store):
    version = add("copy", adapter, loss=0.25)
    shutil.rmtree(adapter)
    assert store in version.folder.parents
    assert (version.folder / "adapter.safetensors").stat().st_size > 1e6
    assert sorted(path.name for path in version.folder.iterdir()) == ["adapter.json", "adapter.safetensors"]
    assert version.metrics["best_validation_loss"] == 0.25
    assert version.metrics["file_bytes"] == sum(file.stat().st_size for file in version.folder.iterdir())
    assert version.parameters == {"method": "lora", "size": 8, "base": "tiny", "learning_rate": 1e-3, "epochs": 2}
    assert registry.find("copy/1") == version


def test_the_copy_is_an_artifact_of_the_run_that_trained_it_or_of_one_made_for_it(adapter):
    run_id = Tracker("artifact", {}).run_id
    for given in (run_id, None, "0" * 32):
        version = add("artifact", adapter, run_id=given)
        entry = connect().get_model_version("artifact", str(version.number))
        assert entry.source == f"runs:/{entry.run_id}/{version.folder.name}"
        assert [file.path for file in connect().list_artifacts(entry.run_id)] == [version.folder.name]
        assert (entry.run_id == run_id) == (given == run_id)


def test_a_cache_that_was_moved_still_has_its_adapters(adapter, cache, tmp_path, monkeypatch):
    connect()
    shutil.copytree(cache, tmp_path / "old")
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "old"))
    add("moved", adapter)
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "new"))
    folder = registry.find("moved").folder
    assert tmp_path / "new" in folder.parents and (folder / "adapter.safetensors").exists()
    assert add("moved", adapter).number == 2
    registry.delete("moved")
    assert not folder.exists()


def test_a_version_that_was_registered_by_its_path_is_still_there(adapter):
    """As version 0.1 of the course registered adapters of a file store."""
    client = connect()
    client.create_registered_model("early")
    client.create_model_version("early", str(adapter), tags={"course.metrics": "{}", "course.parameters": "{}"})
    assert registry.find("early").folder == adapter
    registry.delete("early")
    assert adapter.exists()


def test_what_others_keep_in_a_run_is_not_deleted_with_a_version(adapter):
    run = connect().get_run(Tracker("others", {}).run_id)
    connect().log_artifacts(run.info.run_id, str(adapter), "model")
    connect().create_registered_model("others")
    connect().create_model_version("others", f"runs:/{run.info.run_id}/model", run.info.run_id)
    registry.delete("others")
    assert [file.path for file in connect().list_artifacts(run.info.run_id)] == ["model"]


def test_what_cannot_be_registered_leaves_no_copy(adapter, store, monkeypatch):
    from mlflow import MlflowClient

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = copies(store)
    monkeypatch.setattr(MlflowClient, "create_model_version", full)
    with pytest.raises(DiskFull):
        add("unregistered", adapter)
    assert copies(store) == before


def test_tables_have_a_row_a_name_and_a_row_a_version(adapter):
    add("table", adapter, loss=0.5)
    add("table", adapter, loss=0.75, make_default=False)
    registry.set_alias("table", 2, "slow")
    models = registry.models().set_index("model")
    assert models.loc["table", ["versions", "default", "method", "size", "validation loss"]].tolist() == [
        2, 1, "lora", 8, 0.5,
    ]  # fmt: skip
    table = registry.versions("table")
    assert table["number"].tolist() == [1, 2]
    assert table["aliases"].tolist() == ["default", "slow"]
    assert table["file size MB"].round(2).tolist() == [1.0, 1.0]


def test_a_comparison_has_only_what_differs(adapter):
    add("compare", adapter, loss=0.5)
    add("compare", adapter, loss=0.25, rate=1e-2)
    table = registry.compare(["compare", "compare/1"])
    assert table.columns.tolist() == ["compare/2", "compare/1"]
    assert table.T.to_dict() == {
        "learning_rate": {"compare/2": 1e-2, "compare/1": 1e-3},
        "best_validation_loss": {"compare/2": 0.25, "compare/1": 0.5},
    }


@pytest.mark.parametrize("seed", range(3))
def test_exactly_one_version_is_the_default_whatever_is_done(adapter, seed, store):
    before = len(copies(store))
    name, rng, numbers, default, count = f"sequence {seed}", random.Random(seed), [], None, 0
    for _ in range(15):
        action = rng.choice(["register", "register", "aside", "default", "alias", "delete"])
        if action in ("register", "aside") or not numbers:
            version = add(name, adapter, make_default=action != "aside")
            default = version.number if action != "aside" or not numbers else default
            numbers, count = [*numbers, version.number], count + 1
        elif action == "default":
            default = rng.choice(numbers)
            registry.set_default(name, default)
        elif action == "alias":
            registry.set_alias(name, rng.choice(numbers), "best")
        else:
            gone = rng.choice(numbers)
            registry.delete(name, gone)
            numbers = [number for number in numbers if number != gone]
            default = (max(numbers, default=None)) if gone == default else default
        if numbers:
            table = registry.versions(name)
            assert table["number"].tolist() == numbers
            assert [n for n, names in zip(numbers, table["aliases"], strict=True) if "default" in names] == [default]
            assert int(connect().get_registered_model(name).aliases["default"]) == default
        else:
            assert name not in registry.models()["model"].tolist()
        assert len(copies(store)) == before + len(numbers)


def test_deleting_a_model_removes_its_files_and_its_name_may_be_used_again(adapter, store):
    before = copies(store)
    folders = {add("gone", adapter).folder for _ in range(2)}
    assert copies(store) == before | folders
    registry.delete("gone")
    assert copies(store) == before
    with pytest.raises(RegistryError, match="no model 'gone'"):
        registry.find("gone")
    assert add("gone", adapter).aliases == ("default",)


def test_what_does_not_exist_is_named_with_what_does(adapter):
    add("known", adapter)
    registry.set_alias("known", 1, "best")
    for reference, said in {
        "unknown": r"no model 'unknown': it has .*known",
        "known/7": "no version 7: it has 1",
        "known/x": "no version x",
        "known@worst": "alias 'worst': its aliases are default, best",
        "": "no model ''",
    }.items():
        with pytest.raises(RegistryError, match=said):
            registry.find(reference)
    with pytest.raises(RegistryError, match="no version 2"):
        registry.delete("known", 2)


@pytest.mark.parametrize("name", ["", "a/b", "a@b", "../up", ".hidden", "a:b", "x" * 200, "it's", "end."])
def test_a_name_that_cannot_be_a_folder_or_a_reference_is_refused(adapter, name):
    with pytest.raises(RegistryError, match="cannot be a model's name"):
        add(name, adapter)


@pytest.mark.parametrize("alias", ["default", "Default", "latest", "v1", "", "a b", "3"])
def test_an_alias_that_means_something_else_is_refused(adapter, alias):
    add("aliases", adapter)
    with pytest.raises(RegistryError):
        registry.set_alias("aliases", 1, alias)


@pytest.mark.parametrize("damage", ["cut", "no weights", "no manifest", "no folder"])
def test_a_damaged_adapter_is_not_registered(adapter, damage):
    weights, manifest = adapter / "adapter.safetensors", adapter / "adapter.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "no folder":
        shutil.rmtree(adapter)
    else:
        (weights if damage == "no weights" else manifest).unlink()
    with pytest.raises(RegistryError, match="no whole adapter"):
        add("damaged", adapter)
    assert "damaged" not in registry.models()["model"].tolist()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_an_adapter_with_a_number_that_is_not_finite_becomes_no_version(adapter, number):
    from safetensors.torch import save_file

    first = add("finite", adapter)
    save_file({"a": torch.zeros(3), "weight": torch.tensor([0.0, number])}, adapter / "adapter.safetensors")
    with pytest.raises(RegistryError, match=r"not finite \(in weight\).*with a lower learning rate"):
        add("finite", adapter)
    assert registry.find("finite") == first
    shutil.copy(adapter / "adapter.safetensors", first.folder)
    with pytest.raises(RegistryError, match="not finite"):
        registry.load("finite")


@pytest.mark.parametrize("note", ["", "{", "[]", "null", '{"file_bytes": "many"}', '{"best_validation_loss": [1]}'])
def test_a_version_whose_notes_or_adapter_are_broken_is_still_listed(adapter, note):
    name = f"broken {abs(hash(note))}"
    add(name, adapter, loss=0.25)
    broken = add(name, adapter)
    for tag in ("course.metrics", "course.parameters"):
        connect().set_model_version_tag(name, "2", tag, note)
    shutil.rmtree(broken.folder)
    table = registry.versions(name)
    assert table["number"].tolist() == [1, 2] and table["validation loss"].tolist()[0] == 0.25
    assert registry.models().set_index("model").loc[name, "default"] == 2
    assert registry.compare([f"{name}/1", name]).shape[1] == 2
    with pytest.raises(RegistryError, match="no whole adapter.*register it again"):
        registry.load(name)
    registry.set_default(name, 1)
    assert registry.find(name).metrics["best_validation_loss"] == 0.25


def test_a_default_that_is_no_version_any_more_is_the_newest(adapter, monkeypatch):
    from mlflow import MlflowClient

    add("alias", adapter)
    model, real = connect().get_registered_model("alias"), MlflowClient.get_registered_model
    monkeypatch.setattr(
        MlflowClient,
        "get_registered_model",
        lambda client, name: SimpleNamespace(aliases={"default": "7"}) if name == model.name else real(client, name),
    )
    assert registry.models().set_index("model").loc["alias", "default"] == 1
    assert registry.find("alias").number == 1


def test_paths_and_numbers_of_numpy_are_taken(adapter):
    assert registry.register(np.str_("plain"), str(adapter), parameters={}, metrics={}).number == 1
    add("plain", adapter)
    registry.set_default("plain", np.int64(1))
    assert registry.find(Path("plain/2")).number == 2 and registry.find("plain").number == 1
    registry.delete("plain", np.int64(2))
    assert registry.versions(np.str_("plain"))["number"].tolist() == [1]
    with pytest.raises(DataError, match="given in a list"):
        registry.compare("plain")
    for call in (lambda: registry.find(3), lambda: registry.set_alias("plain", 1, None), lambda: add(None, adapter)):
        with pytest.raises(DataError, match="is a text"):
            call()


def test_a_store_that_cannot_be_written_is_read_and_names_what_moves_it(adapter, monkeypatch):
    with open_folder() as folder:
        monkeypatch.setenv("COURSE_TUNING", str(folder / "tuning"))
        add("shared", adapter)
        with read_only(folder):
            assert registry.models()["model"].tolist() == ["shared"]
            assert (registry.find("shared").folder / "adapter.json").exists()
            with pytest.raises(CacheUnusable, match="cannot be written .*set COURSE_TUNING to a folder of your own"):
                registry.set_alias("shared", 1, "best")


@LLAMA
def test_two_adapters_on_one_base_share_its_weights_and_leave_it_as_it_was(tiny, tmp_path):
    before = logits(tiny)
    for seed, method in enumerate(("lora", "bottleneck")):
        add("shared", tuned(tiny, method, tmp_path / method, scale=0.3, seed=seed))
    one, other = registry.load("shared/1", base=tiny), registry.load("shared@default", base=tiny)
    memory = {weight.data_ptr() for weight in tiny.model.parameters()}
    assert memory <= {weight.data_ptr() for weight in one.model.parameters()}
    assert memory <= {weight.data_ptr() for weight in other.model.parameters()}
    assert torch.equal(logits(tiny), before)
    assert not torch.allclose(logits(one), before, atol=1e-2)
    assert not torch.allclose(logits(other), logits(one), atol=1e-2)


@LLAMA
def test_a_base_is_loaded_by_its_name_when_none_is_given(tiny, tmp_path):
    add("alone", tuned(tiny, "lora", tmp_path / "adapter", scale=0.3))
    assert torch.equal(logits(registry.load("alone")), logits(registry.load("alone", base=tiny)))


@LLAMA
def test_another_base_and_a_damaged_copy_are_refused(tiny, tmp_path):
    version = add("refused", tuned(tiny, "lora", tmp_path / "adapter", scale=0.3))
    other = add_adapter(tiny, find_method("full"))
    with torch.no_grad():
        next(other.model.parameters()).add_(1.0)
    with pytest.raises(AdapterMismatch):
        registry.load("refused", base=other)
    config = version.folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"r": 8', '"r": 4'))
    with pytest.raises(AdapterMismatch, match="is damaged"):
        registry.load("refused", base=tiny)
    config.unlink()
    with pytest.raises(RegistryError, match="no whole adapter"):
        registry.load("refused", base=tiny)
    shutil.rmtree(version.folder)
    with pytest.raises(RegistryError, match="no whole adapter.*register it again"):
        registry.load("refused", base=tiny)


@LLAMA
@pytest.mark.parametrize("method", ["lora", "dora", "ia3"])
def test_a_merged_model_answers_as_the_adapter_does(tiny, tmp_path, method):
    _check_merged(tiny, method, tmp_path, scale=0.05)


@pytest.mark.parametrize("method", ["lora", "dora", "ia3"])
def test_the_course_model_answers_the_same_once_merged(course_model, tmp_path, method):
    _check_merged(course_model, method, tmp_path, scale=0.01)


def _check_merged(base: LanguageModel, method: str, folder: Path, *, scale: float) -> None:
    add(f"merged {method}", tuned(base, method, folder / method, scale=scale))
    adapted = registry.load(f"merged {method}", base=base)
    merged = logits(merge(adapted))
    assert torch.allclose(merged, logits(adapted), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(merged, logits(base), atol=1e-2)


@LLAMA
@pytest.mark.parametrize("method", ["lora", "lora-top"])
def test_an_exported_lora_is_loaded_by_peft_alone_and_answers_the_same(tiny, tmp_path, method):
    add("exported", tuned(tiny, method, tmp_path / "adapter", scale=0.3))
    folder = registry.export_peft("exported", tmp_path / "new" / "peft")
    assert sorted(file.name for file in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    named = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    assert named == tiny.name
    with torch.inference_mode(), without_known_warnings():
        alone = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(named), folder).eval()
        found = alone(input_ids=torch.tensor([tiny.encode(PROMPT)])).logits[0, -1]
    torch.testing.assert_close(found, logits(registry.load("exported", base=tiny)))
    assert not torch.allclose(found, logits(tiny), atol=1e-2)
    with pytest.raises(RegistryError, match="is there already: give the path of a new folder"):
        registry.export_peft("exported", folder)


@LLAMA
@pytest.mark.parametrize("method", ["dora", "prompt", "ia3", "bottleneck"])
def test_what_other_servers_cannot_take_is_not_exported(tiny, tmp_path, method):
    version = add("kept here", tuned(tiny, method, tmp_path / "adapter", scale=0.3))
    with pytest.raises(RegistryError, match=f"'{method}'.* plain LoRA adapters only: .*--adapter {version.reference}"):
        registry.export_peft(version.reference, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_many_references_are_found_at_once_and_a_store_that_is_not_there_is_not_made(adapter, tmp_path, monkeypatch):
    first, second = add("at once", adapter), add("at once", adapter)
    asked = ["at once", "at once/1", "at once/9", "at once@no", "nobody", "no'body"]
    assert find_each(asked) == {"at once": second, "at once/1": replace(first, aliases=())}
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "nowhere"))
    with pytest.raises(RegistryError, match="is not there"):
        find_each(asked)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("reference", "model"),
    [
        *[(reference, "My model.v2") for reference in ("My model.v2", "My model.v2@best", "My model.v2/12")],
        *[(wrong, None) for wrong in ("", "../a", "/a", "a/", "a/../b", "a/01", "a/x", "a@", "a@1", "http://a", "a\n")],
    ],
)
def test_a_reference_names_a_model_and_no_path_is_one(reference, model):
    assert model_of(reference) == model


@pytest.mark.process
@LLAMA
def test_a_server_takes_the_adapter_and_gives_it_back(tiny, tmp_path, cache, monkeypatch):
    folder = tuned(tiny, "lora", tmp_path / "adapter", scale=0.3)
    connect()
    (tmp_path / "server").mkdir()
    shutil.copy(cache / "mlflow" / "mlflow.db", tmp_path / "server")
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("COURSE_TUNING", str(tmp_path / "own"))
    server = start_server(tmp_path / "server", port)
    try:
        tracker = Tracker("job", {})
        tracker.finish("FINISHED", [], {})
        add("remote", folder, run_id=tracker.run_id)
        add("remote", folder, run_id="0" * 32)
        shutil.rmtree(folder)
        loaded = registry.load("remote/1", base=tiny)
        assert not torch.allclose(logits(loaded), logits(tiny), atol=1e-2)
        registry.load("remote", base=tiny)
        downloaded = registry.find("remote").folder
        registry.delete("remote", 2)
        assert registry.versions("remote")["aliases"].tolist() == ["default"]
        assert not downloaded.exists()
    finally:
        stop(server)
    with pytest.raises(RegistryError, match="no connection.*start the server"):
        registry.find("remote")
