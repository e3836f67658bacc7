"""Short reviews with labels from human ratings."""

import html
import io
import tarfile
from dataclasses import dataclass
from functools import cache

from utils.datasets.splits import SPLITS, check_name, shuffle_key
from utils.prompts.templates import Example
from utils.storage.downloads import VADER, fetch

LABELS = ("negative", "positive")
REVIEWS_PER_SPLIT = {"train": 240, "validation": 40, "test": 60}
REVIEW_FILES = {"movie": "movieReviewSnippets_GroundTruth.txt", "product": "amazonReviewSnippets_GroundTruth.txt"}
REVIEW_WORDS = range(6, 19)
HELD_OUT_SENTENCES = 1000
CLEAR_RATING = 1.5


@dataclass(frozen=True)
class Review:
    """A sentence of a review with its mean human rating, from -4 (negative) to 4 (positive)."""

    text: str
    label: str
    rating: float

    @property
    def example(self) -> Example:
        """The review as an example for a prompt: its text and its label."""
        return Example(self.text, self.label)


def load_reviews(split: str, *, domain: str = "movie") -> list[Review]:
    """Return a fixed, balanced split of short movie or product reviews, in a fixed mixed order.

    split: "train" (240), "validation" (40) or "test" (60), half of each label, no review
    in two of them. Only clear cases: a mean rating of 1.5 or more, or -1.5 or less, 6 to
    18 words. Source: C.J. Hutto and E. Gilbert, "VADER", ICWSM 2014, data in the package
    vaderSentiment (MIT). Raises DataError for another split or domain, and what
    `utils.storage.fetch` raises.
    """
    check_name(split, SPLITS, "split")
    check_name(domain, tuple(REVIEW_FILES), "domain")
    start = sum(REVIEWS_PER_SPLIT[earlier] for earlier in SPLITS[: SPLITS.index(split)]) // 2
    stop = start + REVIEWS_PER_SPLIT[split] // 2
    chosen = [
        review
        for label in LABELS
        for review in [review for review in _rated_reviews(domain) if review.label == label][start:stop]
    ]
    return sorted(chosen, key=lambda review: shuffle_key(f"order in a split {review.text}"))


def load_sentences(split: str) -> list[str]:
    """Return the movie-review sentences of a fixed split as plain text to learn from: clear or not, of any length.

    split: "train" (9,603) or "test" (1,000), in a fixed mixed order, none in both. The source is that of
    `load_reviews`, whose reviews are among them. Raises DataError for another split, and what `fetch` raises.
    """
    check_name(split, ("train", "test"), "split")
    different = {sentence.lower(): sentence for _, sentence in reversed(_read_domain("movie"))}
    mixed = sorted(different.values(), key=lambda sentence: shuffle_key(f"plain text {sentence}"))
    return mixed[:HELD_OUT_SENTENCES] if split == "test" else mixed[HELD_OUT_SENTENCES:]


@cache
def _rated_reviews(domain: str) -> tuple[Review, ...]:
    """Return the clear, short reviews of a domain in the order that the splits are cut from."""
    found: dict[str, Review] = {}
    for rating, sentence in _read_domain(domain):
        clear = abs(rating) >= CLEAR_RATING and len(sentence.split()) in REVIEW_WORDS and sentence.isascii()
        if clear:
            found.setdefault(sentence.lower(), Review(sentence, LABELS[rating > 0], round(rating, 2)))
    return tuple(sorted(found.values(), key=lambda review: shuffle_key(review.text)))


@cache
def _read_domain(domain: str) -> tuple[tuple[float, str], ...]:
    """Return every sentence of a domain behind its mean rating, in the file's order."""
    with tarfile.open(fetch(VADER)) as package:
        name = next(name for name in package.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(_read(package, name))) as data:
            text = _read(data, f"hutto_ICWSM_2014/{REVIEW_FILES[domain]}").decode("utf8", "replace")
    rows = (line.split("\t", maxsplit=2) for line in text.splitlines())
    return tuple((float(rating), html.unescape(said).replace("''", '"').strip()) for _, rating, said in rows)


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()
