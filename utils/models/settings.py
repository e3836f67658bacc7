"""The settings of `LanguageModel.generate`: the course's own, checked in one place, and transformers' others."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from transformers import GenerationConfig, PreTrainedModel

from utils.errors import UnsupportedSetting, short_reason
from utils.internals import base_model
from utils.logits.config import DecodingConfig

OWN = ("max_new_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "order", "seed")
INSTEAD = {
    "num_return_sequences": "generate gives one completion a prompt: repeat the prompt in a list for more",
    "stop_strings": "Strings that end a completion are given as stop",
    "max_length": "The length of a completion is given as max_new_tokens",
    "return_dict_in_generate": "generate returns text: read logits with next_token_logits, or generate_stream's steps",
    "eos_token_id": "What ends a completion is given as text, in stop",
}
"""Settings of transformers that `generate` has under another name, or not at all."""

GENERATING = Lock()
"""Held by the thread that generates."""
TOKENS = ("bos_token_id", "eos_token_id", "decoder_start_token_id")


@dataclass(frozen=True)
class GenerationSettings:
    """The course's own settings, and those for transformers' `generate`, with which one prompt runs at a time."""

    config: DecodingConfig
    others: Mapping[str, Any]

    @property
    def beams(self) -> bool:
        """Whether beams are searched."""
        return self.others.get("num_beams", 1) != 1

    @property
    def draws(self) -> bool:
        """Whether the next token is another than the likeliest one."""
        return not self.beams and (self.config.temperature > 0 or self.config.repetition_penalty != 1)


def read_settings(given: Mapping[str, Any]) -> GenerationSettings:
    """Return what was given to `generate`, checked; without a temperature it is greedy. Raises UnsupportedSetting."""
    others = dict(given)
    own = {name: others.pop(name) for name in OWN if name in others}
    own["temperature"] = _temperature(own.get("temperature"), others.pop("do_sample", None))
    stop = others.pop("stop", None)
    own["stop"] = (stop,) if isinstance(stop, str) else () if stop is None else stop
    if others.get("num_return_sequences") == 1:
        del others["num_return_sequences"]
    _check_names(others)
    settings = GenerationSettings(DecodingConfig(**own), others)
    if settings.beams and settings.config.temperature > 0:
        raise UnsupportedSetting("Beams are searched without chance: leave num_beams out, or temperature at 0.")
    if settings.beams and settings.config.repetition_penalty != 1:
        others["repetition_penalty"] = settings.config.repetition_penalty
    return settings


def _temperature(temperature: Any, do_sample: Any) -> Any:
    if do_sample not in (None, True, False):
        raise UnsupportedSetting(f"Do_sample is True or False; {do_sample!r} was given.")
    if temperature is None:
        return 1.0 if do_sample else 0.0
    if do_sample is not None and bool(do_sample) != (temperature != 0):
        raise UnsupportedSetting(
            f"Temperature {temperature!r} and do_sample={do_sample} contradict each other: temperature 0 is greedy, "
            "above 0 tokens are sampled; leave do_sample out."
        )
    return temperature


def _check_names(others: Mapping[str, Any]) -> None:
    known = GenerationConfig().to_dict()
    for name in others:
        if name in INSTEAD:
            raise UnsupportedSetting(f"{INSTEAD[name]}; {name} was given.")
        if name not in known or name.startswith(("output_", "_")):
            raise UnsupportedSetting(
                f"There is no setting {name!r}: take {', '.join(OWN)}, stop, or one that "
                "transformers' GenerationConfig has."
            )


@contextmanager
def own_settings_only(model: PreTrainedModel, *, pad: int, given: Mapping[str, Any]) -> Generator[None]:
    """Let `model.generate` take of the model's own generation_config.json nothing but its special tokens.

    One generates at a time: this changes the model meanwhile, as PEFT does. What transformers refuses among the
    settings given becomes UnsupportedSetting.
    """
    inside = base_model(model)
    with GENERATING:
        before = inside.generation_config
        inside.generation_config = GenerationConfig(**special_tokens(model), pad_token_id=pad)
        try:
            with refused_in_words(given):
                yield
        finally:
            inside.generation_config = before


def special_tokens(model: PreTrainedModel) -> dict[str, Any]:
    """Return the tokens that the model's own generation_config.json names: all of it that counts here."""
    return {name: getattr(model.generation_config, name) for name in TOKENS}


@contextmanager
def refused_in_words(given: Mapping[str, Any]) -> Generator[None]:
    """Turn what transformers refuses among the settings given into UnsupportedSetting."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        if not given:
            raise
        settings = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise UnsupportedSetting(f"transformers does not take {settings} ({short_reason(error)}).") from None
