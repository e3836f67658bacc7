"""Which endpoint the contract is held against: ENDPOINT=http://host:port/v1, or the course's own.

ENDPOINT_KEY: its API key. ENDPOINT_MODEL: the model that is asked, the first of its list if left out.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import openai
import pytest

from tests.serving.conftest import SECONDS
from utils.models.language_model import LanguageModel


@dataclass(frozen=True)
class Contract:
    """An endpoint, its model, and the official client; own: the model itself where the endpoint is the course's."""

    client: openai.OpenAI
    model: str
    own: LanguageModel | None

    @property
    def complete(self) -> Callable[..., Any]:
        """Ask for completions, greedy unless told otherwise."""
        return partial(self.client.completions.create, model=self.model, temperature=0)

    @property
    def chat(self) -> Callable[..., Any]:
        """Ask for a chat's next turn, greedy unless told otherwise."""
        return partial(self.client.chat.completions.create, model=self.model, temperature=0)

    def alone(self, prompts: Sequence[str], *, max_tokens: int) -> list[str]:
        """Return greedy completions, one after another: the model's own, or a foreign endpoint's."""
        if self.own:
            return [self.own.generate(prompt, max_new_tokens=max_tokens) for prompt in prompts]
        return [self.complete(prompt=prompt, max_tokens=max_tokens).choices[0].text for prompt in prompts]


@pytest.fixture(scope="session")
def contract(request) -> Contract:
    """The endpoint that must hold the contract."""
    foreign = os.environ.get("ENDPOINT")
    url = foreign or request.getfixturevalue("course_endpoint").url
    key = os.environ.get("ENDPOINT_KEY", "none")
    client = openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=SECONDS)
    model = os.environ.get("ENDPOINT_MODEL") or client.models.list().data[0].id
    return Contract(client, model, None if foreign else request.getfixturevalue("course_model"))
