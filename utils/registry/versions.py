"""A registry of tuned models: versions under a name, one of them the default, each with its measurements.

The registry is MLflow's, in the store that `utils.registry.tracking` names. It keeps adapters,
megabytes each; the base model that they belong to is loaded once.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from safetensors import SafetensorError, safe_open

from utils.adapters.methods import MANIFEST, PEFT_CONFIG, PEFT_WEIGHTS, load_adapter, not_finite
from utils.arguments import text, texts
from utils.errors import RegistryError
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.registry.tracking import (
    allowing,
    artifact_root,
    asking,
    changing,
    every_page,
    experiment_id,
    is_there,
    reason,
    tracking_uri,
)
from utils.storage.files import build_once
from utils.storage.places import store_dir

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DEFAULT = "default"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._ -]{0,98}[A-Za-z0-9])?")
PLACE = re.compile(r"adapter-[0-9a-f]{32}")
ALIAS = re.compile(r"(?!latest$|v\d+$)[a-z][a-z0-9_-]{0,99}", re.IGNORECASE)
REFERENCE = re.compile(rf"({NAME.pattern})(/[1-9][0-9]{{0,8}}|@[A-Za-z][A-Za-z0-9_-]{{0,99}})?")
PARAMETERS, METRICS = "course.parameters", "course.metrics"
FILE_SIZE, VALIDATION_LOSS = "file_bytes", "best_validation_loss"
SUMMARY = ["method", "size", "validation loss", "file size MB", "created"]


@dataclass(frozen=True)
class Version:
    """One version of a model.

    aliases: "default" first; folder: the registry's copy of the adapter (of one on a server,
    where `load` puts it); created: in UTC. metrics has "file_bytes" in any case.
    """

    name: str
    number: int
    aliases: tuple[str, ...]
    folder: Path
    metrics: dict[str, float]
    parameters: dict[str, Any]
    created: datetime

    @property
    def reference(self) -> str:
        """What `find` takes, such as "name/3"."""
        return f"{self.name}/{self.number}"


def register(
    name: str,
    folder: str | Path,
    *,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    run_id: str | None = None,
    make_default: bool = True,
) -> Version:
    """Return a new version of a model, made of a copy of an adapter's folder.

    The newest version becomes the default unless make_default is False; the first always
    does. run_id: the MLflow run that trained it. parameters: JSON values; the adapter's own
    method, size and base are added. The copy is an artifact of that run, or of one made for
    it. Raises RegistryError, also for numbers that are not finite, DiskFull, CacheUnusable.
    """
    name, folder = text(name, "the model's name"), Path(text(folder, "the adapter's folder"))
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} cannot be a model's name: take at most 100 letters, digits, spaces, '.', '_' and '-', "
            "beginning and ending with a letter or a digit."
        )
    manifest = _check_adapter(folder)
    described = {**{key: manifest.get(key) for key in ("method", "size", "base")}, **parameters}
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    measured = {FILE_SIZE: size, **metrics}
    tags = {PARAMETERS: json.dumps(described, default=str), METRICS: json.dumps(measured, default=float)}
    with changing() as client:
        if client.get_prompt(name) is not None:
            raise RegistryError(f"{name} is the name of a saved prompt: give the model another name.")
        run_id, place = _run(client, name, run_id), f"adapter-{uuid.uuid4().hex}"
        source = f"runs:/{run_id}/{place}"
        try:
            client.log_artifacts(run_id, str(folder), place)
            with allowing("RESOURCE_ALREADY_EXISTS"):
                client.create_registered_model(name)
            number = int(client.create_model_version(name, source, run_id, tags=tags).version)
        except BaseException:
            _discard(source)
            raise
        if make_default or DEFAULT not in client.get_registered_model(name).aliases:
            client.set_registered_model_alias(name, DEFAULT, str(number))
        return _find(client, f"{name}/{number}")


def models() -> pd.DataFrame:
    """Return a table of the models: a row for each name, with its default version."""
    with asking() as client:
        found = [some for name in _names(client) if (some := _versions(client, name))]
    defaults = [next(version for version in some if DEFAULT in version.aliases) for some in found]
    rows = [[one.name, len(some), one.number, *_summary(one)] for one, some in zip(defaults, found, strict=True)]
    return pd.DataFrame(rows, columns=["model", "versions", "default", *SUMMARY])


def versions(name: str) -> pd.DataFrame:
    """Return a table of a model's versions, the oldest first. Raises RegistryError."""
    with asking() as client:
        rows = [[one.number, ", ".join(one.aliases), *_summary(one)] for one in _known_versions(client, name)]
    return pd.DataFrame(rows, columns=["number", "aliases", *SUMMARY])


def find(reference: str) -> Version:
    """Return a version by "name" (its default), "name@alias" or "name/3". Raises RegistryError."""
    with asking() as client:
        return _find(client, reference)


def find_each(references: Iterable[str]) -> dict[str, Version]:
    """Return each reference's version; those that the registry does not have are left out.

    Raises RegistryError where the registry cannot be asked; a store that is not there is not made.
    """
    if not is_there():
        raise RegistryError("The registry is not there: register a model, or set MLFLOW_TRACKING_URI to its store.")
    found = {}
    with asking() as client:
        for reference in references:
            with suppress(RegistryError):
                found[reference] = _find(client, reference)
    return found


def model_of(reference: str) -> str | None:
    """Return the model's name in a reference; None for what cannot be one, such as a path or an address."""
    found = REFERENCE.fullmatch(reference)
    return found[1] if found else None


def compare(references: Sequence[str]) -> pd.DataFrame:
    """Return a table of the parameters and metrics (rows) in which versions (columns) differ. Raises RegistryError."""
    references = texts(references, "the versions")
    with asking() as client:
        found = [_find(client, reference) for reference in texts(references, "the references")]
    names = dict.fromkeys(chain(*(version.parameters for version in found), *(version.metrics for version in found)))
    values = [version.parameters | version.metrics for version in found]
    rows = {name: [each.get(name) for each in values] for name in names}
    differing = {name: row for name, row in rows.items() if any(value != row[0] for value in row)}
    columns = [version.reference for version in found]
    return pd.DataFrame.from_dict(differing, orient="index", columns=columns, dtype=object)


def set_default(name: str, number: int) -> None:
    """Make a version the one that the plain name stands for. Raises RegistryError."""
    _give(name, number, DEFAULT)


def set_alias(name: str, number: int, alias: str) -> None:
    """Give a version an alias; another version of the model that has it loses it. Raises RegistryError."""
    alias = text(alias, "the alias")
    if alias.lower() == DEFAULT:
        raise RegistryError("Which version is the default is said with set_default(name, number).")
    if not ALIAS.fullmatch(alias):
        raise RegistryError(
            f"{alias!r} cannot be an alias: take a word of letters, digits, _ and -, other than 'latest' and 'v1'."
        )
    _give(name, number, alias)


def delete(name: str, number: int | None = None) -> None:
    """Delete a version, or the whole model when number is None, with the registry's copies.

    The newest version left becomes the default when the default goes; the model goes with
    its last version. The run stays, on a server with the adapter. Raises RegistryError.
    """
    with changing() as client:
        found = _known_versions(client, name)
        going = found if number is None else [_find(client, f"{name}/{number}")]
        left = [version for version in found if version not in going]
        sources = [str(client.get_model_version(name, str(version.number)).source) for version in going]
        if not left:
            client.delete_registered_model(name)
        for version in going if left else []:
            if DEFAULT in version.aliases:
                client.set_registered_model_alias(name, DEFAULT, str(left[-1].number))
            client.delete_model_version(name, str(version.number))
    for source in sources:
        _discard(source)


def load(reference: str, *, base: LanguageModel | None = None) -> LanguageModel:
    """Return a version as a model that completes prompts: its base with the adapter on it.

    base: a loaded model, whose weights are shared and which stays as it is; the one that
    the adapter was tuned on is loaded when None. Raises RegistryError for a folder that
    is no whole adapter, AdapterMismatch for another base, and what `load_model` raises.
    """
    version, manifest = fetch(reference)
    return load_adapter(base or load_model(manifest["base"]), version.folder)


def fetch(reference: str) -> tuple[Version, dict[str, Any]]:
    """Return a version whose adapter is on this machine and whole, and the adapter's manifest. Raises RegistryError."""
    with asking() as client:
        version = _find(client, reference)
        _download(client, version)
    return version, _check_adapter(version.folder)


def _give(name: str, number: int, alias: str) -> None:
    with changing() as client:
        client.set_registered_model_alias(name, alias, str(_find(client, f"{name}/{number}").number))


def _find(client: "MlflowClient", reference: str) -> Version:
    reference = text(reference, "the reference")
    name, sign, which = next((reference.partition(sign) for sign in "@/" if sign in reference), (reference, "", ""))
    found = _known_versions(client, name)
    if sign == "/":
        known = {str(version.number): version for version in found}
        missing, have = f"version {which}", "it has"
    else:
        which = which if sign else DEFAULT
        known = {alias: version for version in found for alias in version.aliases}
        missing, have = f"version with the alias {which!r}", "its aliases are"
    if which not in known:
        raise RegistryError(f"The model {name!r} has no {missing}: {have} {', '.join(known)}.")
    return known[which]


def _known_versions(client: "MlflowClient", name: str) -> list[Version]:
    found = _versions(client, name) if NAME.fullmatch(name) else []
    if not found:
        known = _names(client)
        have = f"it has {', '.join(known)}" if known else "it is empty so far"
        raise RegistryError(f"The registry has no model {name!r}: {have}.")
    return found


def _versions(client: "MlflowClient", name: str) -> list[Version]:
    """Return a model's versions, the oldest first; the newest counts as the default where MLflow names none of them."""
    entries = sorted(client.search_model_versions(f"name='{name}'"), key=lambda entry: int(entry.version))
    if not entries:
        return []
    numbers = [str(entry.version) for entry in entries]
    given = {alias: str(number) for alias, number in client.get_registered_model(name).aliases.items()}
    if given.get(DEFAULT) not in numbers:
        given[DEFAULT] = numbers[-1]
    return [_from_entry(entry, given) for entry in entries]


def _from_entry(entry: "ModelVersion", given: Mapping[str, str]) -> Version:
    aliases = [alias for alias, number in given.items() if number == str(entry.version)]
    metrics = _tag(entry, METRICS)
    return Version(
        name=entry.name,
        number=int(entry.version),
        aliases=tuple(sorted(aliases, key=lambda alias: (alias != DEFAULT, alias))),
        folder=_folder(str(entry.source)),
        metrics={name: value for name, value in metrics.items() if isinstance(value, int | float)},
        parameters=_tag(entry, PARAMETERS),
        created=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
    )


def _tag(entry: "ModelVersion", name: str) -> dict[str, Any]:
    """Return what was noted of a version; nothing where its note is broken: the version itself is still good."""
    try:
        noted = json.loads(entry.tags.get(name, "{}"))
    except ValueError:
        noted = {}
    return noted if isinstance(noted, dict) else {}


def _summary(version: Version) -> list[Any]:
    parameters, metrics = version.parameters, version.metrics
    size = metrics[FILE_SIZE] / 1e6 if FILE_SIZE in metrics else None
    return [parameters.get("method"), parameters.get("size"), metrics.get(VALIDATION_LOSS), size, version.created]


def _names(client: "MlflowClient") -> list[str]:
    found = every_page(lambda token: client.search_registered_models(page_token=token))
    return sorted(model.name for model in found if NAME.fullmatch(model.name))


def _run(client: "MlflowClient", name: str, run_id: str | None) -> str:
    """Return the run that takes an adapter: the one that trained it where the store has it, else a new one."""
    if run_id is not None:
        with allowing("RESOURCE_DOES_NOT_EXIST"):
            return client.get_run(run_id).info.run_id
    own = client.create_run(experiment_id(client, name), run_name=name).info.run_id
    client.set_terminated(own)
    return own


def _folder(source: str) -> Path:
    """Return where an adapter is: beside the store, which may have moved, or where `_download` puts it."""
    if not source.startswith("runs:/"):  # registered by version 0.1, which gave a path
        return Path(source)
    run_id, _, place = source.removeprefix("runs:/").partition("/")
    root = artifact_root()
    kept = root / "runs" / run_id / "artifacts" / place if root else None
    return kept if kept and kept.exists() else store_dir() / "downloads" / place


def _download(client: "MlflowClient", version: Version) -> None:
    """Fetch an adapter that is not on this machine; one that is nowhere is left for `_check_adapter` to name."""
    from mlflow.artifacts import download_artifacts

    def fetch(new: Path) -> None:
        source = client.get_model_version(version.name, str(version.number)).source
        download_artifacts(artifact_uri=source, dst_path=str(new.parent), tracking_uri=tracking_uri())

    with allowing("RESOURCE_DOES_NOT_EXIST"):
        build_once(version.folder, fetch, size=2 * int(version.metrics.get(FILE_SIZE, 0)))


def _discard(source: str) -> None:
    """Remove the registry's own copy on this machine, and nothing that others keep in a run."""
    folder = _folder(source)
    if PLACE.fullmatch(folder.name):
        shutil.rmtree(folder, ignore_errors=True)


def _check_adapter(folder: Path) -> dict[str, Any]:
    """Return an adapter's manifest. Raises RegistryError when a file of it is missing, cut off or no adapter's.

    An adapter with a number that is not finite, from a training that diverged, is none either.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf8"))
        weights = sorted(folder.glob("*.safetensors"))
        if not weights or not {"method", "base", "weights"} <= set(manifest):
            raise ValueError("its weights or its description are missing")
        if (folder / PEFT_WEIGHTS).exists():
            json.loads((folder / PEFT_CONFIG).read_text(encoding="utf8"))
        broken = list(filter(None, map(_not_finite, weights)))
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise RegistryError(
            f"The folder {folder} holds no whole adapter ({reason(error)}): tune and register it again."
        ) from None
    if broken:
        raise RegistryError(
            f"The adapter in {folder} has numbers that are not finite (in {broken[0]}), its training diverged: tune "
            "again with a lower learning rate."
        )
    return manifest


def _not_finite(file: Path) -> str | None:
    """Return the name of a file's first tensor that is not finite. Raises ValueError for a file without any."""
    with safe_open(file, framework="pt") as tensors:
        names = list(tensors.keys())
        if not names:
            raise ValueError(f"{file.name} is empty")
        return not_finite((name, tensors.get_tensor(name)) for name in names)
