"""Completions that obey a JSON schema: which tokens may come next (constrained decoding, by the library llguidance).

JSON is written in one way, on one line with a space behind a colon and a comma, as Python's `json.dumps` does: where
any whitespace were allowed, a small model would write nothing else until its tokens end. Objects have their keys in
the schema's order. llguidance alone does not survive every schema: a chain of references overflows its stack, and
some combinations take it minutes. So a schema has limits, which it meets before llguidance reads it.
"""

import json
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import torch
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.hf import from_tokenizer

from utils.models.language_model import LanguageModel
from utils.serving.refusals import Refusal

CHARACTERS, LEVELS, PATTERNS = 10_000, 256, 8
"""A schema's limits: its length as JSON; how deep it nests, each reference followed once; its regular expressions."""

WRITTEN: Any = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False, "lenient": False}
KEPT = 32
"""How many schemas stay compiled."""


class Grammars:
    """What turns JSON schemas into grammars over a model's tokens; the tokenizer is read once, at the first schema."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._matcher = lru_cache(maxsize=KEPT)(self._compile)

    def check(self, schema: str) -> None:
        """Compile a JSON schema, given as JSON.

        Raises Refusal (400, parameter "schema") where it cannot be held to, or the tokenizer cannot be read.
        """
        self._matcher(schema)

    def begin(self, schema: str) -> "Grammar":
        """Return the grammar of one completion, before its first token. Raises Refusal as `check`."""
        return Grammar(self._matcher(schema).deep_copy())

    @cached_property
    def _tokenizer(self) -> LLTokenizer:
        tokenizer: Any = self._model.tokenizer
        ends = list(self._model.end_of_text) or None
        try:
            return from_tokenizer(tokenizer, n_vocab=self._model.embedded, eos_token=ends)
        except ValueError:
            raise _refusal(f"the tokenizer of {self._model.name} is of a kind that llguidance cannot read") from None

    def _compile(self, schema: str) -> LLMatcher:
        if len(schema) > CHARACTERS:
            raise _refusal(f"it has {len(schema)} characters, and {CHARACTERS} are allowed")
        try:
            grammar = LLMatcher.grammar_from_json_schema(schema, overrides=WRITTEN)
            _check_cost(json.loads(schema))
        except ValueError as error:
            raise _refusal(str(error)) from None
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=LLParserLimits(verbose_errors=False))
        if matcher.is_error():
            raise _refusal(matcher.get_error())
        Grammar(matcher).allowed()
        return matcher


class Grammar:
    """How far one completion has come in the JSON that its schema asks for."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def allowed(self) -> torch.Tensor:
        """Return which tokens may come next: bool, shape (vocabulary,).

        End-of-text is among them only where the JSON may end. Raises Refusal (400) where none may, or the schema
        takes too much to compute.
        """
        mask = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8) > 0
        self._check()
        return mask

    def take(self, token: int) -> None:
        """Go one token on. Raises Refusal (400) for one that is not allowed."""
        self._matcher.consume_token(token)
        self._check()

    @property
    def done(self) -> bool:
        """Whether the JSON is whole, so that nothing but the end may come."""
        return self._matcher.is_stopped()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise _refusal("no token of this model may come next, or it takes too long to find one")


def _check_cost(schema: Any) -> None:
    """Refuse what llguidance 1.9 would crash on or take minutes for, whatever limits it is given."""
    entries = list(_entries(schema))
    deepest = max((level for *_, level in entries), default=0)
    references = {value for keyword, value, _ in entries if keyword == "$ref" and isinstance(value, str)}
    if deepest * (1 + len(references)) > LEVELS:
        raise _refusal(f"{deepest} levels with {len(references)} references nest more than {LEVELS} deep")
    patterns = sum(keyword == "pattern" and isinstance(value, str) for keyword, value, _ in entries)
    patterns += sum(
        len(value) for keyword, value, _ in entries if keyword == "patternProperties" and isinstance(value, dict)
    )
    if patterns > PATTERNS:
        raise _refusal(f"it has {patterns} patterns, and {PATTERNS} are allowed")
    if any(keyword == "multipleOf" and not isinstance(value, dict) for keyword, value, _ in entries):
        raise _refusal("multipleOf is not supported")
    if "x-guidance" in schema:
        raise _refusal("x-guidance is not supported")


def _entries(part: Any, level: int = 1) -> Iterator[tuple[str, Any, int]]:
    """Yield every key of nested JSON with its value and its level; an item of a list has no key."""
    inner = part.items() if isinstance(part, dict) else [("", item) for item in part] if isinstance(part, list) else ()
    for key, value in inner:
        yield key, value, level
        yield from _entries(value, level + 1)


def _refusal(reason: str) -> Refusal:
    said = " ".join(reason.split())
    return Refusal(f"The completion cannot be held to this JSON schema: {said[:300]}.", parameter="schema")
