"""What makes a good prompt for a summary: rules that Lab 1 and Lab 3 share.

Each holds of a prompt and of a case whose first given value is the dialogue.
"""

from utils.exercises.exercise import Case, Rule


def _around(prompt: str, case: Case) -> list[str]:
    """Return what stands before the dialogue and what stands after it."""
    return prompt.split(case.given[0], maxsplit=1)


IS_WHOLE = Rule(
    lambda p, c: c.given[0] in p,
    "The dialogue is not in your prompt, or not unchanged. Line breaks, spaces and marks belong to it: the model can only summarize what it sees.",
)
HAS_INSTRUCTION = Rule(
    lambda p, c: len(_around(p, c)[0].split()) >= 3,
    "There is no instruction before the dialogue. Say first, in a sentence, what shall be done with it.",
)
HAS_CUE = Rule(
    lambda p, c: _around(p, c)[1].strip(),
    "The cue is missing: your prompt ends with the dialogue, so the likeliest continuation is one more turn of it. "
    "End with a line that asks for the summary.",
)
NO_SPACE_AT_THE_END = Rule(
    lambda p, c: p == p.rstrip(),
    "Your prompt ends with a space or an empty line. A token usually begins with its space, so a space at the end "
    "keeps the model from choosing the common tokens. Strip it.",
)
ENDS_WITH_A_COLON = Rule(
    lambda p, c: p.endswith(":"),
    "The last line does not end with a colon. Beginning the answer works, too, but here the prompt shall end with a label for the summary.",
)
WELL_MADE = (IS_WHOLE, HAS_INSTRUCTION, HAS_CUE, NO_SPACE_AT_THE_END, ENDS_WITH_A_COLON)
"""In the order in which they are checked: each takes the ones before it for granted."""
