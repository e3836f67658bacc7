"""Saved prompts: versions under a name that never change, each with a message, aliases, tags and parameters.

They are in MLflow's prompt registry, which is a part of its registry of models. Every answer is read from the store:
MLflow's `load_prompt` keeps old ones in a cache, and is not used.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from utils.arguments import text
from utils.errors import RegistryError
from utils.registry.tracking import allowing, asking, changing, every_page, is_there
from utils.registry.versions import ALIAS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import PromptVersion as Entry

Template = str | Sequence[Mapping[str, str]]
"""A text, or messages with "role" and "content"; variables stand in it as {{name}}."""

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
TAG = re.compile(r"(?!(mlflow|_mlflow|course)\b|_mlflow_)[\w.-]{1,100}")
LONGEST_TEMPLATE, LONGEST_MESSAGE, LONGEST_TAG = 100_000, 5000, 5000
"""Characters: what MLflow takes as a template, the width of its column for messages, and what a page can show."""

IS_PROMPT = "tag.`mlflow.prompt.is_prompt` = 'true'"
"""What MLflow tells prompts and models apart by, as a filter."""

SOURCE, PIECE, LONGEST_SOURCE = "course.prompt", 16_000, 1_000_000
"""The whole prompt as JSON, in tags "course.prompt.1", ...: the characters of one, which fit any database; of all."""


@dataclass(frozen=True)
class PromptVersion:
    """One version of a saved prompt.

    template: what MLflow's own page shows. parameters: MLflow's names, such as "temperature" and "max_tokens".
    prompt: the whole prompt as it was given; None for a version that was not saved here. created: in UTC.
    """

    name: str
    number: int
    template: Template
    parameters: dict[str, Any]
    prompt: dict[str, Any] | None
    message: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    created: datetime

    @property
    def reference(self) -> str:
        """What `find_prompt` takes, such as "name/3"."""
        return f"{self.name}/{self.number}"


def save_prompt(
    name: str,
    template: Template,
    *,
    prompt: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    message: str = "",
    tags: Mapping[str, str] | None = None,
) -> PromptVersion:
    """Return a new version of a prompt; the first makes the prompt.

    prompt: JSON values that come back as they are; parameters: MLflow's model configuration. Raises RegistryError,
    also for what MLflow cannot keep, DiskFull, CacheUnusable.
    """
    name, message = _checked_name(name), text(message, "the message").strip()
    tags = {_checked_tag(key): text(value, f"the tag {key}") for key, value in (tags or {}).items()}
    _check_lengths(template, message, tags)
    kept = tags | _in_pieces(prompt)
    with changing() as client:
        with allowing("RESOURCE_ALREADY_EXISTS"):
            client.create_prompt(name)
        if client.get_prompt(name) is None:
            raise RegistryError(f"{name} is the name of a model in the registry: give the prompt another name.")
        made = client.create_prompt_version(
            name, _plain(template), description=message or None, tags=kept, model_config=dict(parameters or {}) or None
        )
        return _from_entry(made, {})


def restore_prompt(reference: str) -> PromptVersion:
    """Return a new version that holds what an older one holds; its message says so. Raises RegistryError."""
    old = find_prompt(reference)
    return save_prompt(
        old.name,
        old.template,
        prompt=old.prompt,
        parameters=old.parameters,
        message=f"Version {old.number}, restored",
        tags=old.tags,
    )


def prompt_names() -> list[str]:
    """Return the names of all saved prompts. Raises RegistryError."""
    if not is_there():
        return []
    with asking() as client:
        return _names(client)


def prompt_versions(name: str) -> list[PromptVersion]:
    """Return a prompt's versions, the oldest first. Raises RegistryError."""
    with asking() as client:
        return _versions(client, name)


def find_prompt(reference: str) -> PromptVersion:
    """Return a version by "name" (the newest), "name@alias" or "name/3". Raises RegistryError."""
    reference = text(reference, "the reference")
    name, sign, which = next((reference.partition(sign) for sign in "@/" if sign in reference), (reference, "", ""))
    found = prompt_versions(name)
    if not sign:
        return found[-1]
    if sign == "/":
        known = {str(version.number): version for version in found}
        missing = f"version {which}: it has {', '.join(known)}"
    else:
        known = {alias: version for version in found for alias in version.aliases}
        missing = f"version with the alias {which!r}: its aliases are {', '.join(known) or 'none so far'}"
    if which not in known:
        raise RegistryError(f"The prompt {name} has no {missing}.")
    return known[which]


def set_prompt_alias(name: str, number: int, alias: str) -> None:
    """Give a version an alias; another version of the prompt that has it loses it. Raises RegistryError."""
    alias = text(alias, "the alias").strip()
    if not ALIAS.fullmatch(alias):
        raise RegistryError(
            f"{alias!r} cannot be an alias: take a word of letters, digits, _ and -, other than 'latest' and 'v1'."
        )
    version = find_prompt(f"{name}/{number}")
    with changing() as client:
        client.set_prompt_alias(version.name, alias, version.number)


def delete_prompt_alias(name: str, alias: str) -> None:
    """Take an alias from the version that has it. Raises RegistryError."""
    version = find_prompt(f"{name}@{alias}")
    with changing() as client:
        client.delete_prompt_alias(version.name, alias)


def _names(client: "MlflowClient") -> list[str]:
    return sorted(prompt.name for prompt in every_page(lambda token: client.search_prompts(page_token=token)))


def _versions(client: "MlflowClient", name: str) -> list[PromptVersion]:
    """Return a prompt's versions. MLflow finds versions without their aliases: the prompt's own entry has them."""
    known = client.search_registered_models(f"{IS_PROMPT} AND name = '{name}'") if NAME.fullmatch(name) else []
    entries = every_page(lambda token: client.search_prompt_versions(name, page_token=token)) if known else ()
    found = [_from_entry(entry, known[0].aliases) for entry in entries]
    if not found:
        names = _names(client)
        have = f"it has {', '.join(names)}" if names else "none is saved so far"
        raise RegistryError(f"The registry has no prompt {name!r}: {have}.")
    return sorted(found, key=lambda version: version.number)


def _from_entry(entry: "Entry", given: Mapping[str, str]) -> PromptVersion:
    """Return MLflow's version as ours. given: each alias with its version's number."""
    return PromptVersion(
        name=entry.name,
        number=entry.version,
        template=entry.template,
        parameters=entry.model_config or {},
        prompt=_from_pieces(entry.tags),
        message=entry.commit_message or "",
        aliases=tuple(sorted(alias for alias, number in given.items() if str(number) == str(entry.version))),
        tags={key: value for key, value in entry.tags.items() if TAG.fullmatch(key)},
        created=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
    )


def _in_pieces(prompt: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a prompt as JSON in tags of a length that every database takes. Raises RegistryError."""
    if prompt is None:
        return {}
    written = json.dumps(prompt, ensure_ascii=False)
    if len(written) > LONGEST_SOURCE:
        raise RegistryError(
            f"This prompt with its table of values has {len(written):,} characters, and {LONGEST_SOURCE:,} can be "
            "saved: shorten the table."
        )
    pieces = (written[start : start + PIECE] for start in range(0, len(written), PIECE))
    return {f"{SOURCE}.{n}": piece for n, piece in enumerate(pieces, 1)}


def _from_pieces(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the prompt that tags hold; None where they hold none, or another hand has changed them."""
    numbers = range(1, 1 + sum(key.startswith(f"{SOURCE}.") for key in tags))
    try:
        found = json.loads("".join(tags[f"{SOURCE}.{n}"] for n in numbers))
    except (KeyError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _plain(template: Template) -> str | list[dict[str, str]]:
    return template if isinstance(template, str) else [dict(message) for message in template]


def _checked_name(name: str) -> str:
    name = text(name, "the prompt's name").strip()
    if not NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} cannot be a prompt's name: take at most 100 letters without accents, digits, '.', '_' and '-', "
            "beginning and ending with a letter or a digit."
        )
    return name


def _checked_tag(key: str) -> str:
    if not TAG.fullmatch(text(key, "a tag's name")):
        raise RegistryError(
            f"{key!r} cannot be a tag's name: take at most 100 letters, digits, '.', '_' and '-', and do not begin "
            "with 'mlflow' or 'course'."
        )
    return key


def _check_lengths(template: Template, message: str, tags: Mapping[str, str]) -> None:
    """Raise RegistryError for what is longer than MLflow keeps; messages count as it writes them, in JSON."""
    written = template if isinstance(template, str) else json.dumps(_plain(template))
    lengths = [("The prompt's text", len(written), LONGEST_TEMPLATE), ("The message", len(message), LONGEST_MESSAGE)]
    lengths += [(f"The tag {key}", len(value), LONGEST_TAG) for key, value in tags.items()]
    for what, length, longest in lengths:
        if length > longest:
            raise RegistryError(f"{what} has {length:,} characters, and MLflow keeps {longest:,}: shorten it.")
