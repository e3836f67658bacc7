"""Python that loads the weights with transformers and decodes as the studio does."""

from typing import Any

from utils.adapters.methods import PEFT_CONFIG
from utils.datasets.records import TextToText, completion_text
from utils.errors import UnsupportedSetting
from utils.models.endpoints import is_address
from utils.models.forcing import continuation_ids
from utils.models.language_model import LanguageModel
from utils.models.loading import lasting_name, model_source
from utils.registry.versions import fetch
from utils.studio.models import REGISTERED, own_model
from utils.studio.prompt import Prompt
from utils.studio.scoring import is_drawn
from utils.studio.snippet import Asked, Snippet, literal

GREEDY = "It is the studio's answer, token by token, where torch and transformers are of the same versions."
DRAWN = (
    f"{GREEDY} A seed fixes the noise at every position. With do_sample=True transformers draws from the same "
    "distribution with random numbers of its own: a seed then gives another text."
)


def with_transformers(asked: Asked) -> Snippet:
    """Return a program that prints the prompt's answers, or its likeliest label. Raises UnsupportedSetting."""
    prompt = asked.prompt
    source, adapter = weights(prompt.model)
    model = asked.load()
    code = _LOADED.format(
        imports=_imports(prompt, model, adapter=bool(adapter)),
        names=_names(source, adapter, prompt, model),
        kind=_kind(model),
        adapter=_ADAPTER if adapter else "",
    )
    special = "" if _adds_special_tokens(model, prompt.written(model)) else ", add_special_tokens=False"
    inside = "model.get_base_model()" if adapter else "model"
    written = _LABEL if prompt.labels else _answering(prompt, model)
    code += written.replace("%special%", special).replace("%inside%", inside)
    return Snippet(code, "answer.py", "python answer.py", DRAWN if is_drawn(prompt) else GREEDY)


def weights(reference: str) -> tuple[str, str]:
    """Return where a model's weights stand, and its adapter's folder, "" without one. Raises UnsupportedSetting."""
    if is_address(reference):
        raise UnsupportedSetting(
            f"The weights of {reference} are not on this machine: take code that asks the endpoint."
        )
    if not reference.startswith(REGISTERED):
        return str(model_source(lasting_name(reference or own_model()))), ""
    version, manifest = fetch(reference.removeprefix(REGISTERED))
    if not (version.folder / PEFT_CONFIG).exists():
        raise UnsupportedSetting(
            f"{version.reference} was tuned with {manifest['method']!r}, which other libraries do not read: deploy it "
            "and take code that asks the endpoint."
        )
    return weights(manifest["base"])[0], str(version.folder)


def _imports(prompt: Prompt, model: LanguageModel, *, adapter: bool) -> str:
    names = {_kind(model), "AutoTokenizer"}
    if not prompt.labels:
        names |= {"GenerationConfig", *(step.split("(")[0] for step in _steps(prompt))} - {"Draw"}
        names |= {"StoppingCriteria"} if prompt.config.stop else set()
        names |= {"LogitsProcessor"} if is_drawn(prompt) else set()
    listed = ", ".join(sorted(names))
    if len(listed) > 80:
        listed = "(\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")"
    return (
        ("import random\n\n" if is_drawn(prompt) else "")
        + "import torch\n"
        + ("from peft import PeftModel\n" if adapter else "")
        + f"from transformers import {listed}\n"
    )


def _names(source: str, adapter: str, prompt: Prompt, model: LanguageModel) -> str:
    text = prompt.written(model)
    found: dict[str, Any] = {"MODEL": source, **({"ADAPTER": adapter} if adapter else {}), "PROMPT": text}
    if prompt.labels:
        as_they_stand = [completion_text(TextToText(text, label)) for label in prompt.labels]
        ids = [continuation_ids(model, text, label) for label in as_they_stand]
        found |= {"LABELS": dict(zip(prompt.labels, ids, strict=True))}
    elif prompt.config.stop:
        found |= {"STOP": list(prompt.config.stop)}
    return "".join(f"{name} = {literal(value)}\n" for name, value in found.items())


def _kind(model: LanguageModel) -> str:
    return "AutoModelForSeq2SeqLM" if model.is_encoder_decoder else "AutoModelForCausalLM"


def _adds_special_tokens(model: LanguageModel, text: str) -> bool:
    """Whether the tokenizer adds tokens of its own, as in `LanguageModel.encode`: not where the text begins so."""
    begins = model.tokenizer.bos_token
    return not (begins and text.startswith(begins))


def _steps(prompt: Prompt) -> list[str]:
    """Return the steps of decoding in their order, as transformers names them; the last draws."""
    config = prompt.config
    penalty = [f"RepetitionPenaltyLogitsProcessor({float(config.repetition_penalty)})"]
    first = penalty if config.repetition_penalty != 1 else []
    if not is_drawn(prompt):
        return first
    heat = [f"TemperatureLogitsWarper({float(config.temperature)})"] if config.temperature != 1 else []
    cuts = [f"TopKLogitsWarper({config.top_k})"] if config.top_k else []
    cuts += [f"TopPLogitsWarper({float(config.top_p)})"] if config.top_p != 1 else []
    cuts += [f"MinPLogitsWarper({float(config.min_p)})"] if config.min_p else []
    return [*first, *((*heat, *cuts) if config.order == "transformers" else (*cuts, *heat)), "Draw(seed)"]


def _answering(prompt: Prompt, model: LanguageModel) -> str:
    config, steps, seed = prompt.config, _steps(prompt), "seed" if is_drawn(prompt) else ""
    begun = "1" if model.is_encoder_decoder else 'inputs["input_ids"].shape[1]'
    options = [f"max_new_tokens={config.max_new_tokens}", "do_sample=False"]
    options += [f"logits_processor={literal_code(steps)}"] if steps else []
    options += ["stopping_criteria=[Stop()]"] if config.stop else []
    asked = "".join(f"        {option},\n" for option in ("**inputs", *options))
    first, last = config.seed, config.seed + prompt.responses
    return (
        f"{_READ}begun = {begun}\n"
        + (_DRAW if is_drawn(prompt) else "")
        + (_STOP if config.stop else "")
        + f"\n\ndef answer({seed}):\n    tokens = model.generate(\n{asked}    )[0, begun:]\n"
        + (_CUT if config.stop else "    return tokenizer.decode(tokens, skip_special_tokens=True)\n")
        + (f"\n\nfor seed in range({first}, {last}):\n    print(answer(seed))\n" if seed else "\n\nprint(answer())\n")
    )


def literal_code(steps: list[str]) -> str:
    """Return a list of expressions, one a line where there are several."""
    if len(steps) == 1:
        return f"[{steps[0]}]"
    return "[\n" + "".join(f"            {step},\n" for step in steps) + "        ]"


_LOADED = """\
{imports}
{names}
tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = {kind}.from_pretrained(MODEL, dtype=torch.float32)
{adapter}"""
_ADAPTER = "model = PeftModel.from_pretrained(model, ADAPTER)\n"
_READ = """\
own = %inside%.generation_config  # of the model's own settings only its special tokens count
%inside%.generation_config = GenerationConfig(
    bos_token_id=own.bos_token_id,
    eos_token_id=own.eos_token_id,
    decoder_start_token_id=own.decoder_start_token_id,
    pad_token_id=tokenizer.pad_token_id,
)
inputs = tokenizer(PROMPT, return_tensors="pt"%special%)
"""
_DRAW = '''

class Draw(LogitsProcessor):
    """Draws by the Gumbel-max trick: the token whose log-probability plus noise is largest."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, input_ids, scores):
        position = input_ids.shape[1] - begun
        state = random.Random(f"{self.seed} {position}").getrandbits(63)
        uniform = torch.rand(scores.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(state))
        return scores.softmax(-1).log() - (-uniform.log()).log()
'''
_STOP = '''

class Stop(StoppingCriteria):
    """Ends where a stop sequence stands in the answer."""

    def __call__(self, input_ids, scores, **kwargs):
        written = tokenizer.decode(input_ids[0, begun:])
        return torch.tensor([any(stop in written for stop in STOP)])
'''
_CUT = """\
    written = tokenizer.decode(tokens)
    end = min((written.index(stop) for stop in STOP if stop in written), default=len(written))
    text = written[:end]
    for token in tokenizer.all_special_tokens:
        text = text.replace(token, "")
    return text
"""
_LABEL = '''\
before = tokenizer(PROMPT%special%)["input_ids"]


@torch.inference_mode()
def log_probability(ids):
    """Return the log-probability of a label's tokens behind the prompt."""
    logits = model(torch.tensor([before + ids])).logits[0, len(before) - 1 : -1]
    return logits.log_softmax(-1)[range(len(ids)), ids].sum().item()


print(max(LABELS, key=lambda label: log_probability(LABELS[label])))
'''
