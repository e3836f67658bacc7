"""The studio's prompts in the registry: what MLflow shows of them, and how a version is opened again."""

import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from utils.errors import CourseError, EmptyPrompt
from utils.logits.config import DecodingConfig
from utils.registry.prompts import PromptVersion, Template, save_prompt
from utils.studio.prompt import INPUT, ROLES, Prompt

DOUBLE = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
"""A variable as MLflow writes it."""

PARAMETERS = {"max_tokens": "max_new_tokens", "stop_sequences": "stop"}
"""MLflow's names of parameters that the course names otherwise."""
EXTRA, OTHERS = "extra_params", ("min_p", "repetition_penalty", "order", "seed")
"""Where MLflow keeps parameters that it has no name for, and which of the course's those are."""

UNSET = DecodingConfig()


def save(prompt: Prompt, name: str, *, message: str = "", tags: Mapping[str, str] | None = None) -> PromptVersion:
    """Save a prompt as a new version of a name. Raises EmptyPrompt, RegistryError, DiskFull, CacheUnusable."""
    return save_prompt(
        name, template(prompt), prompt=prompt.as_dict(), parameters=parameters(prompt), message=message, tags=tags
    )


def opened(version: PromptVersion) -> Prompt:
    """Return a version's prompt as it was saved; one that was not saved here is read from its template."""
    if version.prompt is not None:
        return Prompt.from_dict(version.prompt)
    config = _config(version.parameters)
    if isinstance(version.template, str):
        return Prompt(text=_single(version.template), config=config)
    turns = [(message["role"], _single(message["content"])) for message in version.template]
    context = "\n\n".join(content for role, content in turns if role not in ROLES)
    return Prompt(kind="chat", context=context, turns=tuple(turn for turn in turns if turn[0] in ROLES), config=config)


def template(prompt: Prompt) -> Template:
    """Return what `asked` returns as MLflow keeps it: with {{name}} for a variable. Raises EmptyPrompt."""
    complete = _with_input(prompt)
    made = asked(complete.filled({name: f"{{{{{name}}}}}" for name in complete.variables}))
    if not (made.strip() if isinstance(made, str) else any(message["content"].strip() for message in made)):
        raise EmptyPrompt("The prompt is empty: write one in Prompt design, then save it.")
    return made


def asked(prompt: Prompt) -> Template:
    """Return a prompt's text, or the messages of a chat.

    In a structured prompt without a test input, the variable {input} stands in its place.
    """
    complete = _with_input(prompt)
    return complete.plain if complete.messages is None else complete.messages


def in_text(written: Template) -> str:
    """Return a template as one text, a conversation with the role over each message."""
    if isinstance(written, str):
        return written
    return "\n\n".join(f"{message['role']}:\n{message['content']}" for message in written)


def settings(prompt: Prompt) -> dict[str, Any]:
    """Return what belongs to a prompt beside its text, by the course's names."""
    others = ("kind", "as_chat", "labels", "values", "responses", "model")
    return {name: getattr(prompt, name) for name in others} | asdict(prompt.config)


def parameters(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt's parameters as MLflow names them; its page names others only in `extra_params`.

    A stop or top-k that is off is left out, as MLflow takes no top-k of 0.
    """
    config = prompt.config
    named = {
        "model_name": prompt.model,
        "temperature": config.temperature,
        "top_k": config.top_k,
        "top_p": config.top_p,
        "max_tokens": config.max_new_tokens,
        "stop_sequences": list(config.stop),
    }
    others = {name: getattr(config, name) for name in OTHERS} | {"responses": prompt.responses}
    off = {"model_name": "", "top_k": 0, "stop_sequences": []}
    return {name: value for name, value in named.items() if value != off.get(name)} | {EXTRA: others}


def _with_input(prompt: Prompt) -> Prompt:
    if prompt.kind == "structured" and not prompt.test_input.strip():
        return replace(prompt, test_input=f"{{{INPUT}}}")
    return prompt


def _config(given: Mapping[str, Any]) -> DecodingConfig:
    """Return what is known of MLflow's parameters; the course's own values where one is out of its range."""
    flat = {**given, **given[EXTRA]} if isinstance(given.get(EXTRA), Mapping) else given
    named: dict[str, Any] = {PARAMETERS.get(name, name): value for name, value in flat.items()}
    known = {field.name: named[field.name] for field in fields(DecodingConfig) if field.name in named}
    try:
        return DecodingConfig(**known)
    except CourseError:
        return UNSET


def _single(written: str) -> str:
    return DOUBLE.sub(r"{\1}", written)
