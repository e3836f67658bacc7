"""Code that asks an endpoint: OpenAI's client, curl, and the shape of Vertex AI's `predict`."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from utils.datasets.records import TextToText, completion_text
from utils.errors import UnsupportedSetting
from utils.models.endpoints import KEY, OTHERS, as_sent
from utils.serving.vertex_schema import CANDIDATES, TOP_K
from utils.studio.prompt import Prompt
from utils.studio.scoring import is_drawn
from utils.studio.snippet import Asked, Snippet, literal

SAME = (
    "It is the studio's answer, token by token, where the endpoint serves the same model: it draws with the same seeds."
)
IN_THE_CLOUD = (
    "In the cloud the address begins with "
    "https://REGION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/REGION/endpoints/ "
    "and the key is what `gcloud auth print-access-token` prints."
)
CLIENT = f"""\
import os

from openai import OpenAI

client = OpenAI(base_url=%url%, api_key=os.environ.get("{KEY}") or "none")
"""


def with_openai(asked: Asked) -> Snippet:
    """Return Python that asks the endpoint with OpenAI's client, for answers or for the likeliest label."""
    code = CLIENT.replace("%url%", repr(asked.endpoint.url))
    code += _label(asked) if asked.prompt.labels else _answers(asked)
    return Snippet(code, "ask.py", "python ask.py", SAME)


def with_curl(asked: Asked) -> Snippet:
    """Return a command for a shell that asks the endpoint by HTTP. Raises UnsupportedSetting."""
    _require_no_labels(asked.prompt)
    sent, own = _settings(asked.prompt)
    body = {"model": asked.endpoint.model, **_given(asked.prompt), **sent, **own}
    chat = asked.prompt.messages is not None
    code = _curl(f"{asked.endpoint.url}/{'chat/completions' if chat else 'completions'}", body)
    place = f"choices[].{'message.content' if chat else 'text'}"
    return Snippet(code, "ask.sh", "sh ask.sh", f"It prints JSON: each answer is a {place}. {SAME}")


def with_vertex_curl(asked: Asked) -> Snippet:
    """Return a command for a shell in the shape of Vertex AI's `predict`. Raises UnsupportedSetting."""
    code = _curl(asked.endpoint.predict, _predict(asked))
    said = f"It prints JSON: each answer is a predictions[].content. {SAME} {IN_THE_CLOUD}"
    return Snippet(code, "predict.sh", "sh predict.sh", said)


def with_vertex_python(asked: Asked) -> Snippet:
    """Return Python in the shape of Vertex AI's `predict`. Raises UnsupportedSetting."""
    code = f"""\
import os

import requests

key = os.environ.get("{KEY}") or "none"
answer = requests.post(
    {asked.endpoint.predict!r},
    json={literal(_predict(asked), indent=4)},
    headers={{"Authorization": f"Bearer {{key}}"}},
    timeout=180,
)
answer.raise_for_status()
for prediction in answer.json()["predictions"]:
    print(prediction["content"])
"""
    return Snippet(code, "predict.py", "python predict.py", f"{SAME} {IN_THE_CLOUD}")


def _answers(asked: Asked) -> str:
    sent, own = _settings(asked.prompt)
    fields = {"model": asked.endpoint.model, **_given(asked.prompt), **sent, **({"extra_body": own} if own else {})}
    given = "".join(f"    {name}={literal(value, indent=4)},\n" for name, value in fields.items())
    call, text = "completions", "text"
    if asked.prompt.messages is not None:
        call, text = "chat.completions", "message.content"
    return f"answer = client.{call}.create(\n{given})\nfor choice in answer.choices:\n    print(choice.{text})\n"


def _label(asked: Asked) -> str:
    prompt = asked.prompt
    text = prompt.plain if prompt.messages is None else prompt.written(asked.load())
    labels = {label: completion_text(TextToText(text, label)) for label in prompt.labels}
    return f"""\
PROMPT = {literal(text)}
LABELS = {literal(labels)}

answer = client.completions.create(
    model={asked.endpoint.model!r},
    prompt=[PROMPT + label for label in LABELS.values()],
    echo=True,
    max_tokens=0,
    logprobs=0,
)
# The prompt's own tokens count alike in all of them; the first token has no probability.
found = [sum(choice.logprobs.token_logprobs[1:]) for choice in answer.choices]
print(max(zip(found, LABELS))[1])
"""


def _given(prompt: Prompt) -> dict[str, Any]:
    """Return what the model reads: a conversation as messages, where its own template stands."""
    return {"prompt": prompt.plain} if prompt.messages is None else {"messages": prompt.messages}


def _settings(prompt: Prompt) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a request's settings: those of OpenAI's interface, and those that only the course's endpoint has."""
    sent = as_sent(prompt.config, prompt.config.seed)
    own = {name: sent.pop(name) for name in OTHERS if name in sent and name != "top_p"}
    return sent | ({"n": prompt.responses} if is_drawn(prompt) and prompt.responses > 1 else {}), own


def _curl(url: str, body: Mapping[str, Any]) -> str:
    """Return a command that posts JSON; a shell changes nothing in a quoted here-document."""
    return (
        f"curl --silent --show-error {shlex.quote(url)} \\\n"
        '  --header "Content-Type: application/json" \\\n'
        f'  --header "Authorization: Bearer ${{{KEY}:-none}}" \\\n'
        f"  --data-binary @- <<'JSON'\n{json.dumps(body, ensure_ascii=False, indent=2)}\nJSON\n"
    )


def _predict(asked: Asked) -> dict[str, Any]:
    """Return the body of `predict`. Raises UnsupportedSetting for a setting that it has not."""
    prompt, config = asked.prompt, asked.prompt.config
    _require_no_labels(prompt)
    if missing := _not_in_vertex(prompt):
        raise UnsupportedSetting(
            f"Vertex AI's `predict` has no {' and no '.join(missing)}: set that otherwise, or take other code."
        )
    text = prompt.plain if prompt.messages is None else prompt.written(asked.load())
    parameters: dict[str, Any] = {"temperature": config.temperature, "maxOutputTokens": config.max_new_tokens}
    if is_drawn(prompt):
        parameters |= {"topK": config.top_k, "topP": config.top_p, "seed": config.seed}
        parameters |= {"candidateCount": prompt.responses} if prompt.responses > 1 else {}
    parameters |= {"stopSequences": list(config.stop)} if config.stop else {}
    return {"instances": [{"prompt": text}], "parameters": parameters}


def _not_in_vertex(prompt: Prompt) -> list[str]:
    """Return the prompt's settings that `predict` has not, in words."""
    config, drawn = prompt.config, is_drawn(prompt)
    heated_first = config.order == "transformers" and config.temperature != 1 and config.top_p != 1
    missing = {
        f"repetition penalty ({config.repetition_penalty:g})": config.repetition_penalty != 1,
        f"temperature above 1 ({config.temperature:g})": config.temperature > 1,
        f"top-k but 1 to {TOP_K} ({config.top_k or 'off'})": drawn and not 1 <= config.top_k <= TOP_K,
        f"min-p ({config.min_p:g})": drawn and config.min_p > 0,
        "temperature before top-p (the order of transformers)": drawn and heated_first,
        f"seed of more than 32 bits ({config.seed})": drawn and not -(2**31) <= config.seed < 2**31,
        f"more than {CANDIDATES} candidates ({prompt.responses})": drawn and prompt.responses > CANDIDATES,
    }
    return [name for name, is_missing in missing.items() if is_missing]


def _require_no_labels(prompt: Prompt) -> None:
    if prompt.labels:
        raise UnsupportedSetting(
            "This code asks for text: for the choice of a label take Python with transformers or the openai client."
        )
