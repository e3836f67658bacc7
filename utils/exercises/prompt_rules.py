"""What makes a good prompt for a summary: properties that Lab 1 and Lab 3 share.

Each holds of a prompt and of a case whose first given value is the dialogue. They judge what can be known, the parts
and their order; which words the instruction should have is advice, and the model's own completions show what it is worth.
"""

import re

from utils.errors import CourseError
from utils.exercises.exercise import Case, Property
from utils.models.language_model import LanguageModel

LABELS = frozenset(
    re.findall(
        r"\w+",
        "a an the this here is are of and between two people persons speakers person following below dialogue dialog conversation "
        "chat text input transcript content task gespräch dialogo diálogo conversación 对话 対話 대화",
    )
)
"""Words that name what follows but say nothing of what is to be done with it."""
SUMMARY = re.compile(
    r"summar|sum(s|med)? (it|this|that|them|up)|sum up|sentence|brief|short|gist|point|essen|key|recap|tl;?dr|outline|condens|nutshell|"
    r"overview|abstract|synops|retell|headline|what (is|was|are|do|does|did|happen)|about|in (few|a few|one|two|\d+) |zusammen|r[ée]sum|riassum|samenvat|"
    r"सार|ملخص|özet|streszcz|sammanfat|总结|總結|概括|摘要|요약|要約|кратк|резюм",
    re.IGNORECASE,
)
NEW_TOKENS = 40


def around(prompt: str, case: Case) -> tuple[str, str]:
    """Return what stands before the dialogue and what stands after it."""
    before, _, after = prompt.partition(case.given[0])
    return before, after


def asks(text: str) -> bool:
    """Whether a text says more than what the dialogue is called."""
    return any(word not in LABELS for word in re.findall(r"[^\W\d_]+", text.lower()))


def last_line(prompt: str) -> str:
    """Return the line that a prompt ends with."""
    return prompt.rstrip().rpartition("\n")[2].strip()


def not_whole(prompt: str, case: Case) -> str:
    """Return how a dialogue that should stand in a prompt is missing."""
    dialogue = case.given[0]
    missed = [name for name in re.findall(r"\{\w*\}", prompt) if name not in dialogue]
    if missed:
        return f"{missed[0]} stands in this prompt as it is: the letter f is missing before the quotation marks, or .format(...) behind them."
    if not any(line.lower() in prompt.lower() for line in dialogue.splitlines()) and " ".join(dialogue.split()[1:5]) not in prompt:
        return "The dialogue that was handed over is not in this prompt at all. Use the argument `dialogue`."
    return "The dialogue is not in this prompt unchanged. Line breaks, spaces and marks belong to it, down to the last line: the model can only summarize what it sees."


def _no_instruction(prompt: str, case: Case) -> str:
    after = around(prompt, case)[1]
    if asks(after.replace(last_line(after), "")) or len(last_line(after).split()) > 3:
        return "The instruction comes behind the dialogue. Here it comes first, then the dialogue, then the line that asks for the summary."
    return "There is no instruction before the dialogue. Say first, in a sentence, what shall be done with it."


def _space_at_the_end(prompt: str, case: Case) -> str:
    what = "an empty line" if "\n" in prompt[len(prompt.rstrip()) :] else "a space"
    return (
        f"The prompt ends with {what}. A token usually begins with its space, so white space at the end "
        "keeps the model from choosing the common tokens. Let nothing stand behind the colon."
    )


IS_WHOLE = Property(lambda p, c: c.given[0] in p, not_whole)
HAS_INSTRUCTION = Property(lambda p, c: asks(around(p, c)[0]), _no_instruction)
HAS_CUE = Property(
    lambda p, c: re.search(r"\w|\n\s*\S", around(p, c)[1]),
    "The cue is missing: the prompt ends with the dialogue, so the likeliest continuation is one more turn of it. "
    "End with a line that asks for the summary.",
)
NO_SPACE_AT_THE_END = Property(lambda p, c: p == p.rstrip(), _space_at_the_end)
ENDS_WITH_A_COLON = Property(
    lambda p, c: p.endswith((":", "\uff1a")),
    "The last line does not end with a colon. Beginning the answer works, too, but here the prompt shall end with a label for the summary.",
)
CUE_HAS_ITS_LINE = Property(
    lambda p, c: "\n" in around(p, c)[1],
    "The cue stands on the dialogue's last line, as if a speaker said it. Give it a line of its own.",
)
CUE_HAS_A_WORD = Property(
    lambda p, c: re.search(r"\w", last_line(p)),
    "A colon alone is no cue: name in a word what begins there.",
)
CUE_IS_NO_TURN = Property(
    lambda p, c: not re.fullmatch(r"\W*(person ?\d|dialogue|dialog|conversation|chat)\W*", last_line(p), re.IGNORECASE),
    "The last line asks for more of the dialogue: the model will write a turn there. Name what shall come, a summary.",
)
WELL_MADE = (
    IS_WHOLE,
    HAS_INSTRUCTION,
    HAS_CUE,
    NO_SPACE_AT_THE_END,
    ENDS_WITH_A_COLON,
    CUE_HAS_ITS_LINE,
    CUE_HAS_A_WORD,
    CUE_IS_NO_TURN,
)
"""In the order in which they are checked: each takes the ones before it for granted."""


OTHER_TASKS = {
    r"translat": "a translation",
    r"language": "the language of the dialogue",
    r"continu|next turn|go on": "more of the dialogue",
    r"sentiment|positive or negative": "a judgement of the mood",
}


def advice(prompt: str, dialogue: str) -> str:
    """Return a word on an instruction in which nothing seems to ask for a summary, "" for others."""
    own = prompt.replace(dialogue, "")
    if SUMMARY.search(own):
        return ""
    other = next((name for pattern, name in OTHER_TASKS.items() if re.search(pattern, own, re.IGNORECASE)), "")
    seems = f"your prompt seems to ask for {other}, and for no summary" if other else "no word of your prompt seems to ask for a summary"
    return f"One thing to think about: {seems}. What does the model write after it?"


def completions_shown(model: LanguageModel | None, prompts: list[str]) -> str:
    """Return what a model writes after prompts, a line each, as it stands below a verdict; "" without a model."""
    if model is None:
        return ""
    try:
        written = model.generate(prompts, max_new_tokens=NEW_TOKENS)
    except CourseError as error:
        return f"\nThe model could not continue your prompt: {error}"
    lines = [f"{number}. {' '.join(text.split())}" for number, text in enumerate(written, start=1)]
    return "\n".join(["\nWhat the model writes after your prompt, for two dialogues. Is it a summary?", *lines])
