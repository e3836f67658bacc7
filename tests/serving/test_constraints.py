"""Completions that obey a JSON schema: what ends by itself parses and validates, and no schema harms the endpoint."""

import json

import jsonschema
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.tiny_models import byte_pairs, letters, tiny_model
from utils.models.language_model import LanguageModel
from utils.serving.constraints import CHARACTERS, LEVELS, PATTERNS, Grammars
from utils.serving.refusals import Refusal

END, PADDING = 1, 20
"""The token of the end, and rows of the vocabulary behind the tokenizer's last token."""


def writer() -> LanguageModel:
    """A tiny random model that can write any text."""
    pairs = byte_pairs(['{"name": "Kim", "tags": [true, null]}'], vocabulary=280, special=["<pad>", "</s>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pairs, pad_token="<pad>", eos_token="</s>")
    model = tiny_model("llama", vocabulary=len(tokenizer) + PADDING, window=512).eval()
    return LanguageModel("writer", model, tokenizer, 512)


MODEL = writer()
GRAMMARS = Grammars(MODEL)


def ids(text: str) -> list[int]:
    return MODEL.tokenizer(text)["input_ids"]


def complete(schema: dict, *, seed: int, tokens: int = 120) -> tuple[str, str]:
    """Return a completion that obeys a schema, drawn from the tiny model, and why it ended: "stop" or "length"."""
    grammar, written = GRAMMARS.begin(json.dumps(schema)), ids("x")
    noise = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        output = MODEL.model(torch.tensor([written]), use_cache=True)
        for _ in range(tokens):
            logits = output.logits[0, -1].masked_fill(~grammar.allowed(), -torch.inf)
            token = int(torch.multinomial(logits.softmax(-1), 1, generator=noise))
            grammar.take(token)
            written.append(token)
            if grammar.done:
                return MODEL.decode(written[1:], skip_special_tokens=True), "stop"
            output = MODEL.model(torch.tensor([[token]]), past_key_values=output.past_key_values)
    return MODEL.decode(written[1:]), "length"


NAMES = st.text('abcdé"\\/ 가🙂', min_size=1, max_size=4)
VALUES = st.none() | st.booleans() | st.integers(-99, 99) | NAMES
LEAVES = st.one_of(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "number"}, {"type": "string"}]),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-99, 99),
        st.integers(0, 999),
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 3),
        st.integers(0, 5),
    ),
    st.sampled_from(["^[a-c]{2,4}$", "^(yes|no)$", "^\\d+\\.\\d$"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.sampled_from(["date", "uuid", "ipv4"]).map(lambda kind: {"type": "string", "format": kind}),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    VALUES.map(lambda value: {"const": value}),
)


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Arrays, objects and alternatives of other schemas."""
    properties = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, inner, st.integers(0, 3)),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"anyOf": several}),
        properties.flatmap(
            lambda named: st.builds(
                lambda required, more: {
                    "type": "object",
                    "properties": named,
                    "required": required,
                    "additionalProperties": more,
                },
                st.lists(st.sampled_from(sorted(named)), unique=True) if named else st.just([]),
                st.just(False) | inner,
            )
        ),
    )


def test_what_ends_by_itself_obeys_its_schema():
    ended = []

    @given(schema=st.recursive(LEAVES, nested, max_leaves=5), seed=st.integers(0, 2**32))
    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    def obeys(schema, seed):
        text, finish = complete(schema, seed=seed)
        ended.append(finish == "stop")
        if ended[-1]:
            jsonschema.validate(json.loads(text), schema)

    obeys()
    assert sum(ended) > len(ended) / 2


def test_most_completions_of_short_schemas_end_by_themselves():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"enum": [1, 2]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    written = [complete(schema, seed=seed) for seed in range(5)]
    assert {finish for _, finish in written} == {"stop"}
    assert {text for text, _ in written} <= {f'{{"a": {a}, "b": {b}}}' for a in ("true", "false") for b in (1, 2)}


def test_any_object_is_written_on_one_line():
    grammar = GRAMMARS.begin('{"type": "object"}')
    for token in ids('{"name": {"tags": [1, '):
        assert grammar.allowed()[token] and not grammar.done
        grammar.take(token)
    allowed = {MODEL.decode([int(token)]) for token in grammar.allowed().nonzero()}
    assert {"2", '"', "[", "t"} <= allowed
    assert not any(text.isspace() for text in allowed) and "]" not in allowed


def test_the_end_is_allowed_only_where_the_json_may_end():
    grammar = GRAMMARS.begin('{"type": "integer"}')
    assert grammar.allowed().shape == (MODEL.embedded,)
    assert not grammar.allowed()[END]
    grammar.take(ids("7")[0])
    assert grammar.allowed()[END] and grammar.allowed()[ids("1")[0]] and not grammar.done
    grammar.take(END)
    assert grammar.done


def test_padding_of_the_vocabulary_and_special_tokens_are_never_allowed():
    grammar = GRAMMARS.begin('{"type": "string"}')
    grammar.take(ids('"')[0])
    assert grammar.allowed().sum() > 100
    assert not grammar.allowed()[-PADDING:].any() and not grammar.allowed()[:2].any()


def test_a_token_that_is_not_allowed_is_refused():
    with pytest.raises(Refusal, match="no token"):
        GRAMMARS.begin('{"type": "object"}').take(ids("x")[0])


def test_completions_of_one_schema_do_not_share_their_state():
    first, second = (GRAMMARS.begin('{"type": "object"}') for _ in range(2))
    first.take(ids("{")[0])
    assert second.allowed()[ids("{")[0]] and not first.allowed()[ids("{")[0]]


def chain(links: int, link: str) -> dict:
    """A schema whose definitions refer each to the next."""
    kinds = {
        "$ref": lambda to: to,
        "items": lambda to: {"type": "array", "items": to},
        "allOf": lambda to: {"allOf": [to]},
    }
    named = {f"d{n}": kinds[link]({"$ref": f"#/$defs/d{n + 1}"}) for n in range(links)}
    return {"$defs": {**named, f"d{links}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def slow(n: int) -> dict:
    return {"type": "string", "pattern": f"(a|b)*a(a|b){{{n}}}"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("", "EOF while parsing"),
        ("5", "object"),
        ('{"minimum": NaN}', "expected value"),
        ('{"type": "strin"}', "Invalid type: strin"),
        ('{"properties": {"a": 5}}', "schema must be an object"),
        ('{"patternProperties": 5}', "patternProperties"),
        ('{"$ref": "http://example.org/schema"}', "does not fetch"),
        ('{"$ref": "file:///etc/passwd"}', "does not fetch"),
        ('{"$ref": "#"}', "no token"),
        ('{"enum": []}', "Unsatisfiable"),
        ('{"not": {}}', "Unimplemented"),
        ('{"uniqueItems": true}', "Unimplemented"),
        ('{"type": "string", "pattern": "(a"}', "unclosed group"),
        ('{"x-guidance": {"lenient": true}, "not": {}}', "x-guidance is not supported"),
        ('{"allOf": [{"type": "integer", "multipleOf": 9973}, {"multipleOf": 9967}]}', "multipleOf is not supported"),
        (json.dumps({"allOf": [slow(n) for n in range(PATTERNS + 1)]}), f"{PATTERNS + 1} patterns"),
        (json.dumps({"patternProperties": {f"^{n}$": {} for n in range(PATTERNS + 1)}}), f"{PATTERNS + 1} patterns"),
        (json.dumps({"enum": ["a" * CHARACTERS]}), f"{CHARACTERS} are allowed"),
        (json.dumps(chain(150, "$ref")), f"more than {LEVELS} deep"),
        (json.dumps(chain(120, "items")), f"more than {LEVELS} deep"),
        (json.dumps(chain(100, "allOf")), f"more than {LEVELS} deep"),
        ('{"items": ' * 200 + "{}" + "}" * 200, "recursion limit"),
        ("{" * 9000, "key must be a string"),
    ],
)
def test_a_schema_that_cannot_be_held_is_refused_by_name(schema, said):
    with pytest.raises(Refusal, match=said) as refused:
        GRAMMARS.check(schema)
    assert refused.value.status == 400 and refused.value.parameter == "schema"
    assert len(str(refused.value)) < 400 and "\n" not in str(refused.value)


@pytest.mark.parametrize("link", ["$ref", "items", "allOf"])
def test_a_chain_of_references_below_the_limit_compiles(link):
    levels = {"$ref": 3, "items": 4, "allOf": 5}[link]
    GRAMMARS.check(json.dumps(chain(LEVELS // levels - 2, link)))


def test_a_property_may_be_called_as_a_keyword_is():
    names = ("pattern", "multipleOf", "$ref", "patternProperties")
    GRAMMARS.check(json.dumps({"type": "object", "properties": {name: {"type": "string"} for name in names}}))


def test_a_tokenizer_that_cannot_be_read_is_named():
    with pytest.raises(Refusal, match="the tokenizer of letters"):
        Grammars(LanguageModel("letters", tiny_model("llama"), letters(), 256)).check('{"type": "object"}')
