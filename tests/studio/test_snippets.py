"""Code to take away: each snippet runs as it stands, and its answer is the studio's; a Modelfile has the right form."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.serving.conftest import new_endpoint, process, serving, tiny_language_model
from tests.tiny_models import save
from utils.adapters.methods import PEFT_CONFIG, add_adapter, find_method, save_adapter
from utils.decoding.generation import complete_many
from utils.errors import EmptyPrompt, UnsupportedSetting
from utils.logits.config import DecodingConfig
from utils.models.language_model import LanguageModel
from utils.models.loading import load_model
from utils.processes import module_environment
from utils.prompts.templates import Example
from utils.studio.prompt import Prompt
from utils.studio.scoring import own_answers
from utils.studio.snippet import Asked, Endpoint, Snippet, literal
from utils.studio.snippets import SNIPPETS, snippet

HOSTILE = (
    'Say "it\'s" \\n {name} {{twice}} {% raw %} <b>&amp;</b>\r\n한국어 👩‍👩‍👧 \'\'\' """\n'
    "$HOME `ls` $(ls) %s ${x}\nJSON\n\ta\u200bb\u00a0c \\"
)
GREEDY = DecodingConfig(temperature=0, max_new_tokens=8)
DRAWN = DecodingConfig(temperature=0.9, seed=3, max_new_tokens=8)
STUDIO = replace(DRAWN, top_k=30, top_p=0.9, order="studio")
ALL = replace(DRAWN, top_k=40, top_p=0.95, min_p=0.01, repetition_penalty=1.3)
CASES = {
    "greedy": Prompt(text=HOSTILE, config=GREEDY),
    "penalty": Prompt(text="the lazy dog", config=replace(GREEDY, repetition_penalty=1.5)),
    "drawn": Prompt(text=HOSTILE, config=ALL, responses=3),
    "studio": Prompt(text="the {fox}", config=STUDIO, responses=2),
    "structured": Prompt(
        kind="structured",
        context="Say what it is.",
        examples=(Example("fox", "{dog}"),),
        test_input=HOSTILE,
        config=replace(STUDIO, temperature=1.0),
    ),
    "chat": Prompt(
        kind="chat",
        context="Answer in one word.",
        turns=(("user", HOSTILE), ("assistant", "fox"), ("user", "and the dog?")),
        config=replace(STUDIO, seed=-7),
    ),
    "as chat": Prompt(kind="structured", test_input="fox", as_chat=True, config=GREEDY),
    "labels": Prompt(text="the quick", labels=("fox", "dog", "the lazy"), config=DRAWN),
}


@dataclass(frozen=True)
class Place:
    """A model in a folder, and an endpoint that serves it."""

    folder: str
    model: LanguageModel
    endpoint: Endpoint

    def asked(self, prompt: Prompt) -> Asked:
        return Asked(replace(prompt, model=self.folder), lambda: self.model, self.endpoint)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    tiny = tiny_language_model()
    tiny.model.generation_config.update(do_sample=True, temperature=9.0, top_k=3, repetition_penalty=1.5)
    folder = save(tmp_path_factory.mktemp("models") / "a model's 폴더", tiny.model, tiny.tokenizer)
    model = load_model(str(folder), device="cpu")
    with serving(new_endpoint(replace(model, name="tiny"))) as served:
        yield Place(str(folder), model, Endpoint(served.url, "tiny"))


@pytest.fixture(scope="module")
def stops(place) -> dict[str, Prompt]:
    """Prompts that end at a stop sequence: in the middle of the answer, and one that begins in the prompt."""
    drawn = [replace(DRAWN, seed=seed) for seed in range(300)]
    wholes = complete_many(place.model, "the fox\n", DRAWN, seeds=range(300))
    config, whole = next(
        (one, text) for one, text in zip(drawn, wholes, strict=True) if text[:6].isascii() and len(text) > 6
    )
    return {
        "stop": Prompt(text="the fox\n", config=replace(config, stop=(whole[4:6], whole[2:5]))),
        "stop at once": Prompt(text="the fox\n", config=replace(config, stop=("\n" + whole[:1],))),
    }


def screen(model: LanguageModel, prompt: Prompt) -> list[str]:
    """The answers that the studio shows, each different from the next where chance decides."""
    return (
        own_answers(model, prompt)
        if prompt.config.temperature and not prompt.labels
        else own_answers(model, prompt)[:1]
    )


def written(place: Place, cases: Mapping[str, Prompt], kind: str) -> dict[str, Snippet]:
    """The snippets of a kind, of all the cases that it can say."""
    found = {}
    for name, prompt in cases.items():
        try:
            found[name] = snippet(kind, place.asked(prompt))
        except UnsupportedSetting:
            continue
    return found


def printed(snippets: Mapping[Any, Snippet], folder: Path) -> dict[Any, str]:
    """What Python programs print, run one after the other in one process, each from its own file."""
    files = {name: folder / f"{number}.py" for number, name in enumerate(snippets)}
    for name, file in files.items():
        file.write_text(snippets[name].code, encoding="utf8")
    run_all = (
        "import contextlib, io, json, runpy, sys\n"
        "found = []\n"
        "for file in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        runpy.run_path(file, run_name='__main__')\n"
        "    found.append(out.getvalue())\n"
        "print(json.dumps(found))"
    )
    command = [sys.executable, "-c", run_all, *map(str, files.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=module_environment(), cwd=folder)
    assert done.returncode == 0, done.stderr
    return dict(zip(files, json.loads(done.stdout.splitlines()[-1]), strict=True))


def lines(found: list[str]) -> str:
    return "".join(f"{text}\n" for text in found)


@pytest.mark.process
@pytest.mark.slow
def test_python_prints_the_answers_of_the_screen(place, stops, tmp_path):
    cases = CASES | stops
    expected = {name: lines(screen(place.model, prompt)) for name, prompt in cases.items()}
    assert len(set(expected.values())) == len(cases)
    kinds = [kind for kind in SNIPPETS if "Python" in kind]
    all_snippets = {(kind, name): one for kind in kinds for name, one in written(place, cases, kind).items()}
    for (kind, name), out in printed(all_snippets, tmp_path).items():
        assert out == expected[name], (kind, name)
    said = {kind: [name for one, name in all_snippets if one == kind] for kind in kinds}
    assert said["Python with transformers"] == said["Python with the openai client"] == list(cases)
    assert said["Vertex AI, Python"] == ["greedy", "studio", "structured", "chat", "as chat"]


@pytest.mark.process
@pytest.mark.slow
def test_python_with_transformers_loads_an_adapter_as_peft_has_it(place, tmp_path, monkeypatch):
    tuned = add_adapter(place.model, find_method("lora"))
    for name, weight in tuned.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.5, generator=torch.Generator().manual_seed(0))
    save_adapter(tuned, find_method("lora"), tmp_path / "lora", base=place.model)
    version, manifest = (
        SimpleNamespace(folder=tmp_path / "lora", reference="fox/1"),
        {"base": place.folder, "method": "x"},
    )
    monkeypatch.setattr("utils.studio.transformers_snippet.fetch", lambda reference: (version, manifest))
    asked = Asked(replace(CASES["drawn"], model="models:/fox/1"), lambda: tuned, place.endpoint)
    expected = lines(own_answers(tuned, CASES["drawn"]))
    assert expected != lines(own_answers(place.model, CASES["drawn"]))
    assert printed({"tuned": snippet("Python with transformers", asked)}, tmp_path)["tuned"] == expected
    assert f"ADAPTER {tmp_path / 'lora'}\n" in snippet("Ollama Modelfile", asked).code
    (tmp_path / "lora" / PEFT_CONFIG).unlink()
    with pytest.raises(UnsupportedSetting, match="other libraries do not read"):
        snippet("Python with transformers", asked)


def texts(answer: dict) -> list[str]:
    if "predictions" in answer:
        return [prediction["content"] for prediction in answer["predictions"]]
    return [choice["message"]["content"] if "message" in choice else choice["text"] for choice in answer["choices"]]


@pytest.mark.process
@pytest.mark.parametrize("kind", [kind for kind in SNIPPETS if "curl" in kind])
def test_a_shell_gets_the_answers_of_the_screen(place, stops, tmp_path, kind):
    cases = CASES | stops
    found = written(place, cases, kind)
    assert len(found) == (9 if kind == "curl" else 5)
    for name, one in found.items():
        file = tmp_path / one.file
        file.write_text(one.code, encoding="utf8")
        done = subprocess.run(["sh", str(file)], capture_output=True, check=True, cwd=tmp_path)
        assert texts(json.loads(done.stdout)) == screen(place.model, cases[name]), name


@pytest.mark.parametrize(
    "value",
    [
        HOSTILE,
        "",
        "one line",
        "ends\n",
        "\n\n",
        [HOSTILE, "b"],
        {"a": [{"b": HOSTILE, "c": 0.5}], "d": []},
        ["x" * 99],
        7,
    ],
)
def test_a_value_reads_as_itself(value):
    assert ast.literal_eval(literal(value)) == value
    assert ast.literal_eval(literal(value, indent=4)) == value


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (replace(STUDIO, top_k=0), r"no top-k but 1 to 40 \(off\)"),
        (replace(STUDIO, temperature=1.5, min_p=0.1), r"no temperature above 1 \(1.5\) and no min-p \(0.1\)"),
        (replace(STUDIO, order="transformers"), "no temperature before top-p"),
        (replace(GREEDY, repetition_penalty=1.2), "no repetition penalty"),
        (replace(STUDIO, seed=2**40), "no seed of more than 32 bits"),
    ],
)
def test_what_vertex_cannot_be_asked_is_said(place, config, said):
    with pytest.raises(UnsupportedSetting, match=said):
        snippet("Vertex AI, curl", place.asked(Prompt(text="the fox", config=config)))


def test_what_a_kind_cannot_say_is_a_sentence(place):
    with pytest.raises(EmptyPrompt, match="prompt is empty"):
        snippet("curl", place.asked(Prompt()))
    for kind in ("curl", "Vertex AI, Python", "Ollama Modelfile"):
        with pytest.raises(UnsupportedSetting, match="label"):
            snippet(kind, place.asked(CASES["labels"]))
    elsewhere = Asked(Prompt(text="a", model="http://127.0.0.1:1/v1#tiny"), lambda: place.model, place.endpoint)
    with pytest.raises(UnsupportedSetting, match="not on this machine"):
        snippet("Python with transformers", elsewhere)


COMMANDS = {"FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "ADAPTER", "MESSAGE"}


def unquoted(text: str) -> str | None:
    """What a value says, None while its quotation marks are open."""
    for marks in ('"""', '"'):
        if text.startswith(marks):
            closed = len(text) >= 2 * len(marks) and text.endswith(marks)
            return text[len(marks) : -len(marks)] if closed else None
    return text


def parsed(file: str) -> list[tuple[str, ...]]:
    """The commands of a Modelfile as Ollama reads them: a value ends at the first line break with its quotes closed.

    Written after `parser/parser.go`: white space and line breaks inside of quotes stay, what cannot be printed is lost.
    """
    commands, rest = [], file
    while rest.strip():
        name, _, rest = rest.lstrip().partition(" ")
        assert name in COMMANDS
        words = [name]
        if name in ("PARAMETER", "MESSAGE"):
            word, _, rest = rest.partition(" ")
            words.append(word)
        value, characters = "", iter(rest)
        for character in characters:
            if character in "\r\n" and unquoted(value.strip()) is not None:
                break
            value += character if character.isprintable() or character in "\r\n\t" else ""
        rest = "".join(characters)
        commands.append((*words, unquoted(value.strip())))
    return commands


def executed(template: str, typed: str) -> str:
    """What a Go template without other actions than strings and .Prompt writes."""
    pieces = re.split(r"(\{\{.*?\}\})", template)
    assert all(re.fullmatch(r'\{\{ (\.Prompt|"(\{|\\U[0-9a-f]{8})+") \}\}', piece) for piece in pieces[1::2])
    spoken = [typed if piece == "{{ .Prompt }}" else ast.literal_eval(piece[3:-3]) for piece in pieces[1::2]]
    pieces[1::2] = spoken
    return "".join(pieces)


@pytest.mark.parametrize(
    "prompt",
    [
        CASES["structured"],
        replace(CASES["structured"], context=HOSTILE, as_chat=True),
        Prompt(text=f"{HOSTILE}{{input}}{{{{{{a}}}}}} and {{input}}\u200b", config=ALL),
        CASES["greedy"],
    ],
)
def test_a_modelfile_writes_the_same_prompt_around_what_is_typed(place, prompt):
    found = snippet("Ollama Modelfile", place.asked(prompt))
    commands = parsed(found.code)
    assert commands[0] == ("FROM", place.folder)
    [template] = [value for name, *_, value in commands if name == "TEMPLATE"]
    typed = prompt.about("a cat").written(place.model) if "input" in prompt.variables else None
    if typed is None:
        typed = prompt.written(place.model)
        assert shlex.quote(prompt.test_input or prompt.text) in found.run
    assert executed(template, "a cat" if "input" in prompt.variables else prompt.test_input or prompt.text) == typed


def test_a_modelfile_has_every_setting_as_the_studio_has_it(place):
    prompt = replace(CASES["drawn"], config=replace(ALL, stop=("\n", 'say "no"')))
    set_there = [command[1:] for command in parsed(snippet("Ollama Modelfile", place.asked(prompt)).code)[1:-1]]
    assert set_there == [
        ("temperature", "0.9"),
        ("top_k", "40"),
        ("top_p", "0.95"),
        ("min_p", "0.01"),
        ("repeat_penalty", "1.3"),
        ("repeat_last_n", "-1"),
        ("seed", "3"),
        ("num_predict", "8"),
        ("num_ctx", "256"),
        ("stop", "\n"),
        ("stop", 'say "no"'),
    ]


def test_a_chat_s_modelfile_has_the_turns_before(place):
    turns = (("user", 'a "word"\n\n{{b}} 한국어'), ("assistant", "fox"), ("user", "and the dog?"))
    found = snippet("Ollama Modelfile", place.asked(replace(CASES["chat"], turns=turns)))
    assert parsed(found.code)[-3:] == [
        ("SYSTEM", "Answer in one word."),
        ("MESSAGE", *turns[0]),
        ("MESSAGE", *turns[1]),
    ]
    assert found.run.endswith("ollama run my-prompt 'and the dog?'")
    with pytest.raises(UnsupportedSetting, match="A Modelfile cannot hold"):
        snippet("Ollama Modelfile", place.asked(CASES["chat"]))


@pytest.mark.process
@pytest.mark.slow
def test_the_course_s_model_answers_the_same_everywhere(course_model, tmp_path):
    cases = {
        "greedy": Prompt(text="The capital of France is", config=replace(GREEDY, stop=(".",))),
        "chat": Prompt(
            kind="chat", context="Be brief.", turns=(("user", "Name a colour."),), config=STUDIO, responses=2
        ),
    }
    expected = {name: lines(screen(course_model, prompt)) for name, prompt in cases.items()}
    with process() as served:
        endpoint = Endpoint(served.url, course_model.name)
        asked = {name: Asked(prompt, lambda: course_model, endpoint) for name, prompt in cases.items()}
        kinds = [kind for kind in SNIPPETS if "Python" in kind]
        programs = {(kind, name): snippet(kind, one) for kind in kinds for name, one in asked.items()}
        assert printed(programs, tmp_path) == {(kind, name): expected[name] for kind, name in programs}
