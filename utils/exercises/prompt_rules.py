"""What makes a good prompt for a summary: properties that Lab 1 and Lab 3 share.

Each holds of a prompt and of a case whose first given value is the dialogue. They judge what can be known, the parts
and their order; which words the instruction should have is advice, and the model's own completions show what it is worth.
"""

import re

from utils.errors import CourseError
from utils.exercises.exercise import Case, Property
from utils.models.language_model import LanguageModel

LABELS = frozenset(
    (
        "a",
        "an",
        "the",
        "this",
        "here",
        "is",
        "are",
        "following",
        "below",
        "dialogue",
        "dialog",
        "conversation",
        "chat",
        "text",
        "input",
        "transcript",
        "content",
        "task",
    )
)
"""Words that name what follows but say nothing of what is to be done with it."""
SUMMARY = re.compile(
    r"summar|sum(s|med)? (it|this|that|them|up)|sum up|sentence|brief|short|gist|point|essen|key|recap|tl;?dr|outline|condens|nutshell|"
    r"overview|abstract|synops|what (is|was|are|do|does|did|happen)|about|in (few|a few|one|two|\d+) |zusammen|r[ée]sum|riassum|samenvat|"
    r"总结|總結|概括|摘要|요약|要約|кратк|резюм",
    re.IGNORECASE,
)
NEW_TOKENS = 40


def around(prompt: str, case: Case) -> tuple[str, str]:
    """Return what stands before the dialogue and what stands after it."""
    before, _, after = prompt.partition(case.given[0])
    return before, after


def asks(text: str) -> bool:
    """Whether a text says more than what the dialogue is called."""
    return any(word not in LABELS for word in re.findall(r"\w+", text.lower()))


IS_WHOLE = Property(
    lambda p, c: c.given[0] in p,
    "The dialogue is not in this prompt, or not unchanged. Line breaks, spaces and marks belong to it: the model can only summarize what it sees.",
)
HAS_INSTRUCTION = Property(
    lambda p, c: asks(around(p, c)[0]),
    "There is no instruction before the dialogue. Say first, in a sentence, what shall be done with it.",
)
HAS_CUE = Property(
    lambda p, c: around(p, c)[1].strip(),
    "The cue is missing: the prompt ends with the dialogue, so the likeliest continuation is one more turn of it. "
    "End with a line that asks for the summary.",
)
NO_SPACE_AT_THE_END = Property(
    lambda p, c: p == p.rstrip(),
    "The prompt ends with a space or an empty line. A token usually begins with its space, so a space at the end "
    "keeps the model from choosing the common tokens. Strip it.",
)
ENDS_WITH_A_COLON = Property(
    lambda p, c: p.endswith((":", "\uff1a")),
    "The last line does not end with a colon. Beginning the answer works, too, but here the prompt shall end with a label for the summary.",
)
CUE_HAS_ITS_LINE = Property(
    lambda p, c: "\n" in around(p, c)[1],
    "The cue stands on the dialogue's last line, as if a speaker said it. Give it a line of its own.",
)
CUE_HAS_A_WORD = Property(
    lambda p, c: re.search(r"\w", p.rsplit("\n", 1)[-1]),
    "A colon alone is no cue: name in a word what begins there.",
)
WELL_MADE = (IS_WHOLE, HAS_INSTRUCTION, HAS_CUE, NO_SPACE_AT_THE_END, ENDS_WITH_A_COLON, CUE_HAS_ITS_LINE, CUE_HAS_A_WORD)
"""In the order in which they are checked: each takes the ones before it for granted."""


def advice(prompt: str, dialogue: str) -> str:
    """Return a word on an instruction in which nothing seems to ask for a summary, "" for others."""
    if SUMMARY.search(prompt.replace(dialogue, "")):
        return ""
    return "One thing to think about: no word of your prompt seems to ask for a summary. What does the model write after it?"


def completions_shown(model: LanguageModel | None, prompts: list[str]) -> str:
    """Return what a model writes after prompts, a line each, as it stands below a verdict; "" without a model."""
    if model is None:
        return ""
    try:
        written = model.generate(prompts, max_new_tokens=NEW_TOKENS)
    except CourseError as error:
        return f"\nThe model could not continue your prompt: {error}"
    lines = [f"{number}. {' '.join(text.split())}" for number, text in enumerate(written, start=1)]
    return "\n".join(["\nWhat the model writes after your prompt, for two dialogues:", *lines])
