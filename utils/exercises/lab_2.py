"""The checks, the forecasts and the quiz of Lab 2, generative configuration."""

from collections.abc import Callable, Sequence

import torch

from utils.decoding.config import DecodingConfig
from utils.decoding.diversity import completions, distinct_n, surprise
from utils.decoding.forecasts import Forecast
from utils.decoding.reshaping import reshape
from utils.evaluation.answers import AnswerLogits, expected_accuracy
from utils.exercises.checks import Mistake, NotAttempted, call, require
from utils.exercises.quiz import Question, Quiz
from utils.models.language_model import LanguageModel

FORECASTS = (
    Forecast(
        "sharper",
        "The likeliest token, ' flowers', has a probability of 0.59. Which will it have at temperature 0.5?",
        "temperature",
        0.5,
        lambda found: found.candidates[0].after,
        0.1,
    ),
    Forecast(
        "flatter",
        "And which at temperature 1.5? The whole vocabulary has 49,152 tokens.",
        "temperature",
        1.5,
        lambda found: found.candidates[0].after,
        0.1,
    ),
    Forecast(
        "fixed number",
        "Top-k 10 keeps ten tokens and shares all probability among them. Which will ' flowers' have?",
        "top_k",
        10,
        lambda found: found.candidates[0].after,
        0.05,
    ),
    Forecast(
        "fixed share",
        "Top-p 0.9 keeps the likeliest tokens until they hold 0.9. How many tokens are that?",
        "top_p",
        0.9,
        lambda found: found.kept,
        30,
    ),
)

STORY_RUNS, STORY_TOKENS = 8, 40
ACCURACY_LOSS, LEAST_DISTINCT, MOST_BITS = 0.02, 0.90, 3.5
"""What exercise 2.8 asks of settings for answers and for stories."""


def _predicted(answer) -> None:
    committed = answer.committed
    if not committed:
        raise NotAttempted
    missing = [item.name for item in FORECASTS if item.name not in committed]
    require(not missing, f"Not committed yet: {', '.join(missing)}. A forecast costs nothing; make all of them.")


def _temperature(answer) -> None:
    small = torch.tensor([2.0, 1.0, 0.0, -1.0])
    random = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 3
    for logits in (small, random):
        for temperature in (1.0, 0.5, 2.0):
            got = _distribution(answer, logits, temperature)
            where = f"temperature {temperature}"
            if _same(got, reshape(logits, temperature=1 / temperature)) and temperature != 1:
                raise Mistake(
                    f"At {where} you get what 1/{temperature} should give: divide the logits, do not multiply."
                )
            require(
                _same(got, reshape(logits, temperature=temperature)),
                f"Not right at {where}. Divide the logits by the temperature first, then take the softmax.",
            )
    for temperature in (0, 0.0):
        _edge_case(
            *(answer, small, temperature, reshape(small, temperature=0)),
            edge="temperature 0",
            why="It means greedy, so the likeliest token gets probability 1 and all others 0.",
        )
    large = torch.tensor([900.0, 899.0, -900.0])
    _edge_case(
        *(answer, large, 0.5, reshape(large, temperature=0.5)),
        edge="large logits",
        why="exp(1800) is more than a computer can hold. Subtract the largest logit first, or use torch's softmax, "
        "which does.",
    )


def _top_k(answer) -> None:
    uneven = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
    for k in (2, 3, 1):
        got, right = _distribution(answer, uneven, k), reshape(uneven.log(), top_k=k)
        _require_shares(got, right, f"k = {k}", f"not the {k} likeliest tokens of {_shown(uneven)} are kept.")
    for k, edge in ((0, "k = 0"), (9, "k above the size of the vocabulary")):
        _edge_case(answer, uneven, k, uneven, edge=edge, why="Every token is kept, so nothing changes.")
    tied = torch.tensor([0.4, 0.2, 0.2, 0.1, 0.1])
    _edge_case(
        *(answer, tied, 2, reshape(tied.log(), top_k=2)),
        edge="a tie at the last place",
        why="With k = 2, the second and the third token of [0.4, 0.2, 0.2, ...] are equally likely. transformers "
        "keeps both: cut what is less likely than the k-th, not what comes after it.",
    )


def _top_p(answer) -> None:
    uneven = torch.tensor([0.125, 0.5, 0.03125, 0.25, 0.09375])
    for p in (0.6, 0.8, 0.9):
        got, right = _distribution(answer, uneven, p), reshape(uneven.log(), top_p=p)
        where = f"p = {p} and {_shown(uneven)}"
        if _kept(got) == _kept(right) - 1:
            raise Mistake(
                f"For {where} the token that crosses p is missing. Keep tokens until their sum is AT LEAST p, the "
                "crossing token included."
            )
        wrong = f"you keep {_kept(got)} tokens and {_kept(right)} are right."
        if _kept(got) == _kept(right):
            wrong = "other tokens than the likeliest are kept. After sorting, each must go back to its own place."
        _require_shares(got, right, where, wrong)
    tied = torch.tensor([0.125, 0.125, 0.5, 0.125, 0.125])
    counts = (
        (uneven, 0.75, 2, "a sum of exactly p", "0.5 + 0.25 reaches p = 0.75, so 2 tokens are enough."),
        (tied, 0.7, 3, "a tie at the last place", "0.5 + 0.125 + 0.125 reaches p = 0.7: of four tied, two come in."),
        (uneven, 0.01, 1, "a very small p", "The likeliest token is always kept, or nothing can be drawn."),
        (uneven, 0.0, 1, "p = 0", "The likeliest token is always kept, or nothing can be drawn."),
    )
    for given, p, number, edge, why in counts:
        kept = _kept(_distribution(answer, given, p, edge=edge, why=why))
        require(kept == number, f"Edge case, {edge}: {why} You keep {kept}.")
    _edge_case(answer, uneven, 1.0, uneven, edge="p = 1", why="Every token is kept, so nothing changes.")


def _boundaries(answer) -> None:
    right = {"top-k 2": 2, "top-k 4": 14, "top-p 0.5": 1, "top-p 0.73": 2, "top-p 0.79": 4}
    why = {
        "top-k 2": "The two likeliest tokens, flowers and trees, tie with nobody.",
        "top-k 4": "The fourth place is shared by eleven words of 0.02. What does top-k do with a tie?",
        "top-p 0.5": "flowers alone hold 0.50. Is that at least p?",
        "top-p 0.73": "flowers and trees hold 0.50 + 0.23. Is that at least p?",
        "top-p 0.79": "flowers, trees and herbs hold 0.78, which is not enough. How many of the tied words come in?",
    }
    require(isinstance(answer, dict), "Hand over the dictionary with your five numbers.")
    if any(value is ... for value in answer.values()):
        raise NotAttempted
    for setting, number in right.items():
        require(setting in answer, f"There is no number for {setting}.")
        said = _whole(answer[setting], f"{setting}: a whole number was asked for.")
        require(said == number, f"{setting}: {said} is not right. {why[setting]}")


def _two_orders(answer) -> None:
    random = torch.randn(2000, generator=torch.Generator().manual_seed(1)) * 3
    for temperature, p in ((2.0, 0.75), (0.5, 0.9), (1.0, 0.8)):
        settings = {"temperature": temperature, "top_p": p}
        library, studio = (_kept(reshape(random, **settings, order=order)) for order in ("hf", "vertex"))
        got = call(answer, random.clone(), temperature, p)
        where = f"temperature {temperature} and p = {p}"
        asked = "Return two numbers: tokens kept by the library, tokens kept by the studio."
        require(isinstance(got, (tuple, list, torch.Tensor)) and len(got) == 2, asked)
        got = [_whole(number, asked) for number in got]
        if got == [studio, library] and studio != library:
            raise Mistake(f"For {where} the two numbers are exchanged: the library divides by the temperature first.")
        require(got[0] == library, f"For {where} the first number is {got[0]}: temperature first, then top-p.")
        require(
            got[1] == studio,
            f"For {where} the second number is {got[1]}. In the studio top-p looks at the model's own probabilities; "
            "the temperature comes after and cuts nothing.",
        )


def _draw(answer) -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    draws = _draws(answer, probabilities, 3000)
    require(all(0 <= token < 4 for token in draws), "Return the index of a token: 0, 1, 2 or 3 here.")
    require(1 not in draws, "A token with probability 0 was drawn. After top-k or top-p that would undo the cut.")
    require(
        len(set(draws)) > 1,
        "The same token comes every time. Greedy decoding is not a draw; neither is one that sets its own seed: "
        "draw with the generator that you are given.",
    )
    shares = [draws.count(token) / len(draws) for token in range(4)]
    require(
        all(abs(share - float(p)) < 0.05 for share, p in zip(shares, probabilities, strict=True)),
        f"In 3000 draws the tokens came with shares {[round(share, 2) for share in shares]}, and "
        f"{_shown(probabilities)} was asked for.",
    )
    require(
        _draws(answer, probabilities, 30) == draws[:30],
        "The same seed gives different tokens: draw with the generator that you are given.",
    )
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    require("multinomial" not in names, "Right, but torch.multinomial did the work. Do it without.")


def _choose(answer, *, scored: Sequence[AnswerLogits], model: LanguageModel, story: str) -> None:
    questions, stories, claims = answer
    if questions is ... or stories is ... or any(value is ... for value in claims.values()):
        raise NotAttempted
    for config in (questions, stories):
        require(isinstance(config, DecodingConfig), "Give both settings as a DecodingConfig.")
    require(
        stories.max_new_tokens == STORY_TOKENS,
        f"Keep max_new_tokens={STORY_TOKENS} for stories: shorter texts look more varied, longer ones less.",
    )
    best = expected_accuracy(scored, DecodingConfig(temperature=0)).mean
    accuracy = expected_accuracy(scored, questions).mean
    texts = completions(model, story, stories, seeds=range(STORY_RUNS))
    distinct, bits = distinct_n(texts, 2), surprise(model, story, texts)
    require(
        accuracy >= best - ACCURACY_LOSS,
        f"Your settings for questions are right in {accuracy:.2f} of the cases; greedy decoding in {best:.2f}. "
        "Where only one answer is right, each other token that can be drawn is a loss.",
    )
    require(
        distinct >= LEAST_DISTINCT,
        f"Your stories have a distinct-2 of {distinct:.2f}: they use the same word pairs. Let more tokens in.",
    )
    require(
        bits <= MOST_BITS,
        f"Your stories are varied, but at {bits:.1f} bits per token the model finds them close to noise. "
        "Cut the long tail, or lower the temperature.",
    )
    for name, true in (("accuracy", accuracy), ("distinct-2", distinct), ("bits per token", bits)):
        require(name in claims, f"Your defence does not name {name!r}.")
        require(
            abs(float(claims[name]) - true) <= 0.011,
            f"You claim {claims[name]} for {name!r}, and {true:.2f} is measured with these settings.",
        )


def _edge_case(
    answer: Callable, given: torch.Tensor, setting: float, right: torch.Tensor, *, edge: str, why: str
) -> None:
    """Insist on the right probabilities in a case that is easily forgotten."""
    got = _distribution(answer, given, setting, edge=edge, why=why)
    require(_same(got, right), f"Edge case, {edge}: {why}")


def _distribution(
    answer: Callable, given: torch.Tensor, setting: float, *, edge: str = "", why: str = ""
) -> torch.Tensor:
    """Call a learner's function and insist on a distribution of the right shape; an edge case is named."""
    mine = given.clone()
    try:
        got = call(answer, mine, setting)
        require(torch.equal(mine, given), "Your function changes the tensor that it was given. Make a new one.")
        require(isinstance(got, torch.Tensor), "Return a torch tensor of probabilities.")
        require(got.shape == given.shape, "Return one probability for each token of the vocabulary, cut or not.")
        require(torch.isfinite(got).all(), "There is a NaN or an infinity in your result.")
    except NotAttempted:
        require(not edge, f"Edge case, {edge}: Your function returns nothing. {why}")
        raise
    except Mistake as mistake:
        raise Mistake(f"Edge case, {edge}: {mistake} {why}" if edge else mistake) from None
    return got.float()


def _require_shares(got: torch.Tensor, right: torch.Tensor, where: str, wrong: str) -> None:
    """Insist on the right probabilities; tokens out of place and a sum other than 1 are named."""
    shares = got / got.sum()
    if _same(shares.sort().values, right.sort().values) and not _same(shares, right):
        raise Mistake(f"For {where} the tokens changed places. A token must stay where it is in the vocabulary.")
    if torch.equal(got > 0, right > 0) and not _same(got, right):
        sum_is_1 = _same(got.sum(), right.sum())
        problem = "their shares changed" if sum_is_1 else "they do not sum to 1"
        raise Mistake(f"For {where} the right tokens are left, but {problem}: divide each by the sum of all.")
    require(_same(got, right), f"For {where} {wrong}")


def _draws(answer: Callable, probabilities: torch.Tensor, number: int) -> list[int]:
    """Return that many draws of a learner's function, from a generator of seed 0."""
    generator = torch.Generator().manual_seed(0)
    drawn = [call(answer, probabilities.clone(), generator) for _ in range(number)]
    return [_whole(token, "Return the index of a token, a whole number.") for token in drawn]


def _whole(value: object, otherwise: str) -> int:
    """Return a whole number that may come as a tensor of one element."""
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise Mistake(otherwise) from None
    require(number.is_integer(), otherwise)
    return int(number)


def _shown(probabilities: torch.Tensor) -> list[float]:
    return [round(p, 5) for p in probabilities.tolist()]


def _same(got: torch.Tensor, right: torch.Tensor) -> bool:
    return torch.allclose(got, right, atol=1e-5)


def _kept(probabilities: torch.Tensor) -> int:
    return int((probabilities > 0).sum())


CHECKS = {
    "2.1": ("All forecasts are made; the score stands in the widget. Now every slider is yours.", _predicted),
    "2.2": ("Divide first, then softmax; and 0 means greedy.", _temperature),
    "2.3": ("Ties stay together, and what is left sums to 1.", _top_k),
    "2.4": ("The crossing token is in, and what is left sums to 1.", _top_p),
    "2.5": ("A tie at the edge of top-k lets all in, at the edge of top-p only as many as are needed.", _boundaries),
    "2.6": ("The same numbers, two orders, two different sets of tokens.", _two_orders),
    "2.7": ("The right shares, no token that was cut, and a seed that fixes the draw.", _draw),
    "2.8": ("Sure answers, varied stories, and a number for each claim.", _choose),
}

QUIZ = Quiz(
    (
        Question(
            "What does a temperature of 2 change in the model?",
            ("Its weights", "Nothing: it reshapes the probabilities that the model gives", "Its vocabulary"),
            1,
            (
                "No setting of this lab touches a weight.",
                "The model answers with the same logits. What is done with them afterwards is yours.",
                "Every token is still there, most of them likelier than before.",
            ),
        ),
        Question(
            "Top-p is 0.9 and the likeliest token has 0.95. How many tokens are kept?",
            ("None", "One", "At least two"),
            1,
            (
                "The rule 'sum not exceeding p' would keep none, and then nothing could be drawn. Libraries keep one.",
                "The first token already reaches 0.9, so it is enough.",
                "Two would be needed if the first one held less than 0.9.",
            ),
        ),
        Question(
            "With top-k 1, what does the temperature change?",
            ("Nothing", "It makes the text more creative", "It makes the text shorter"),
            0,
            (
                "One token is left and gets probability 1, at any temperature: this is greedy decoding.",
                "There is only one token to choose from.",
                "Neither of the two settings counts tokens of the completion.",
            ),
        ),
        Question(
            "Why does this course print a seed beside each sampled text?",
            (
                "So that the draw can be repeated and a difference has one cause",
                "A good seed gives better texts",
                "Because greedy decoding needs it",
            ),
            0,
            (
                "Same seed, same settings, same model: same text. Change one thing and you see what it does.",
                "A seed is only a name for a row of random numbers. Choosing the prettiest text is another matter.",
                "Greedy decoding draws nothing.",
            ),
        ),
        Question(
            "A model answers questions with one right answer. Why does a higher temperature cost accuracy?",
            (
                "The model forgets the answer",
                "The completion gets longer",
                "Probability moves from the right token to all others",
            ),
            2,
            (
                "Nothing is forgotten: the logits are the same.",
                "Length is the business of max new tokens and stop sequences.",
                "The right token may still be the likeliest, but it is drawn less often.",
            ),
        ),
        Question(
            "Completions at temperature 2 have the highest distinct-2. Are they the best stories?",
            (
                "Yes: more different word pairs are more creative",
                "No: noise is varied, too; look at the bits per token and at the texts",
                "That cannot be measured at all",
            ),
            1,
            (
                "Drawing words from a hat gives nearly only different pairs.",
                "One number alone misleads: variety without sense is word salad.",
                "Variety and surprise can be measured. Beauty is left to readers.",
            ),
        ),
    )
)
