"""An Ollama Modelfile: the model, its settings, and the prompt around what is typed.

Source: "Modelfile Reference" of Ollama, and its parser, `parser/parser.go`; a template is one of Go's text/template.
"""

import re
import shlex
from typing import Any

from utils.errors import UnsupportedSetting
from utils.models.language_model import LanguageModel
from utils.studio.prompt import INPUT, Prompt
from utils.studio.snippet import Asked, Snippet
from utils.studio.transformers_snippet import weights

SAID = (
    "Ollama has a sampler and random numbers of its own, and may round the weights: its text may differ from the "
    "studio's."
)
MARK = "\ue000"
"""Stands for the input while a template is made: a character that Unicode keeps free for private use."""


def with_ollama(asked: Asked) -> Snippet:
    """Return a Modelfile and the command that runs it. Raises UnsupportedSetting."""
    prompt = asked.prompt
    if prompt.labels:
        raise UnsupportedSetting("Ollama gives no probability of a label: take Python, or generate instead.")
    source, adapter = weights(prompt.model)
    model = asked.load()
    typed, lines = _conversation(prompt) if prompt.kind == "chat" else _template(prompt, model)
    code = [
        f"FROM {source}",
        *([f"ADAPTER {adapter}"] if adapter else []),
        *(f"PARAMETER {name} {value}" for name, value in _parameters(prompt, model.context_window)),
        *lines,
    ]
    run = f"ollama create my-prompt --file Modelfile && ollama run my-prompt {shlex.quote(typed)}"
    return Snippet("\n".join(code) + "\n", "Modelfile", run, SAID)


def _parameters(prompt: Prompt, window: int) -> list[tuple[str, Any]]:
    """Return Ollama's names of all settings: one that is left out would not be off there."""
    config = prompt.config
    return [
        ("temperature", config.temperature),
        ("top_k", config.top_k),
        ("top_p", config.top_p),
        ("min_p", config.min_p),
        ("repeat_penalty", config.repetition_penalty),
        ("repeat_last_n", -1),
        ("seed", config.seed),
        ("num_predict", config.max_new_tokens),
        ("num_ctx", window),
        *(("stop", _quoted(stop)) for stop in config.stop),
    ]


def _conversation(prompt: Prompt) -> tuple[str, list[str]]:
    """Return the user's last turn, which is typed, and what comes before it; the model's own chat template stands."""
    *before, (_, typed) = prompt.turns
    told = [f"SYSTEM {_quoted(prompt.context)}"] if prompt.context.strip() else []
    return typed, [*told, *(f"MESSAGE {role} {_quoted(content)}" for role, content in before)]


def _template(prompt: Prompt, model: LanguageModel) -> tuple[str, list[str]]:
    """Return what is typed, and a template of the rest; of a prompt without a place for an input all is typed."""
    if INPUT in prompt.variables:
        typed, whole = "", prompt.about(MARK).written(model)
    elif prompt.kind == "structured":
        typed, whole = prompt.test_input, prompt.about(MARK).written(model)
    else:
        typed, whole = prompt.written(model), MARK
    return typed, [f"TEMPLATE {_quoted(_in_go(whole))}"]


def _in_go(text: str) -> str:
    """Return text as a template: what would begin an action, end the quotes, or be dropped stands in a Go string."""
    special = rf'{MARK}|"""|[^\n\t\x20-\x7e]'
    pieces = re.compile(rf"\{{{{2,}}|\{{(?={special})|{special}", re.DOTALL)
    return pieces.sub(_action, text)


def _action(found: re.Match[str]) -> str:
    text = found[0]
    if text == MARK:
        return "{{ .Prompt }}"
    if text.isprintable() and not text.startswith(("{", '"')):
        return text
    escaped = "".join(one if one == "{" else f"\\U{ord(one):08x}" for one in text)
    return f'{{{{ "{escaped}" }}}}'


def _quoted(text: str) -> str:
    """Return text in three quotation marks, which keep it as it is. Raises UnsupportedSetting where they cannot."""
    if re.search(r'"""\s*\n', text) or not all(one.isprintable() or one in "\n\t\r" for one in text):
        raise UnsupportedSetting(
            f"A Modelfile cannot hold {text.strip()[:40]!r} ...: it drops what cannot be printed, and three quotation "
            "marks at a line's end would end it."
        )
    return f'"""{text}"""'
