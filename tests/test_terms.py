"""A term of the glossary is linked in the first notebook that uses it, in the order of the course, at its first use."""

import re
from pathlib import Path

import nbformat

from utils.authoring import LABS, ROOT, labs_in, lessons_in

GLOSSARY = ROOT / "notebooks" / "glossary.ipynb"
BEHIND = {"05": "1", "06": "2", "08": "3", "10": "5"}
"""The lesson and the lab that comes behind it, by their numbers; other labs come last."""
OTHER_MEANING = {
    "query": "In lesson 03 what a token looks for in attention, from lesson 05 on the part of a prompt to be answered.",
    "rank": "In lessons it is first the place of a token among the likeliest, in Lab 3 that of a matrix.",
}
"""Terms that the course uses in another sense before, and what that is."""
LINK = re.compile(r"\[([^\]]+)\]\(([^)]*)\)")
NO_PROSE = re.compile(r"```.*?```|`[^`]*`|^[#|][^\n]*|<[^>]*>", re.DOTALL | re.MULTILINE)
"""Code, headings, tables and tags: what no sentence stands in."""


def course() -> list[Path]:
    """Return lessons and learners' labs in the order in which they are read."""
    labs = {path.name.split("_")[1]: path for path in labs_in(LABS)}
    pairs = [(lesson, labs.pop(BEHIND.get(lesson.name[:2], ""), None)) for lesson in lessons_in(ROOT / "notebooks")]
    return [*(path for pair in pairs for path in pair if path), *labs.values()]


def terms() -> list[str]:
    """Return the glossary's terms, the longest first."""
    cells = nbformat.read(GLOSSARY, as_version=4).cells[1:]
    return sorted((cell.source.split("\n")[0].removeprefix("## ") for cell in cells), key=len, reverse=True)


def prose(path: Path) -> str:
    """Return the text of a notebook behind its first cell, which names what is still to be learnt."""
    cells = nbformat.read(path, as_version=4).cells[1:]
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def words(term: str) -> re.Pattern:
    """Return what finds a term: whole words, one or many, however they are joined and begun."""
    parts = map(re.escape, re.split("[ -]", term.removesuffix("s")))
    return re.compile(rf"(?<![\w-]){'[ -]'.join(parts)}s?(?![\w-])", re.IGNORECASE)


def first_uses(text: str, known: list[str]) -> dict[str, int]:
    """Return where a text first uses each of the terms, which are sorted with the longest first.

    A word of a longer term is no use of a shorter one; the name of another notebook in a link is none either.
    """
    found = {}
    left = NO_PROSE.sub(
        blank, LINK.sub(lambda link: blank(link) if "glossary.ipynb#" not in link[2] else said(link), text)
    )
    for term in known:
        if used := words(term).search(left):
            found[term] = used.start()
        left = words(term).sub(blank, left)
    return found


def blank(found: re.Match) -> str:
    return " " * len(found[0])


def said(link: re.Match) -> str:
    """Return the words of a link, in the place where they stand."""
    return f" {link[1]}".ljust(len(link[0]))


def first_links(text: str) -> dict[str, int]:
    """Return where a text first links to each term, by the link's anchor."""
    links = [(link[2].partition("#")[2], link.start()) for link in LINK.finditer(text) if "glossary.ipynb#" in link[2]]
    return dict(reversed(links))


def unlinked(texts: dict[str, str], known: list[str]) -> list[str]:
    """Return a sentence for each term that the first text that uses it does not link, there or before."""
    wrong, met = [], set(OTHER_MEANING)
    for name, text in texts.items():
        links, uses = first_links(text), first_uses(text, known)
        for term in uses.keys() - met:
            if links.get(term.replace(" ", "-"), len(text)) > uses[term]:
                around = " ".join(text[max(0, uses[term] - 60) : uses[term] + 40].split())
                wrong.append(f"{name} is the first to use '{term}', and does not link it there: ... {around} ...")
        met |= uses.keys()
    return sorted(wrong)


def test_a_term_is_linked_where_the_course_first_uses_it():
    wrong = unlinked({path.name: prose(path) for path in course()}, terms())
    assert wrong == [], "\n".join(wrong)


def test_a_term_with_another_meaning_is_one_of_the_glossary_s():
    assert set(OTHER_MEANING) <= set(terms())


def test_labs_come_behind_their_lessons_and_nothing_is_left_out():
    names = [path.name[:5] for path in course()]
    assert names[0] == "00_st" and names.index("lab_1") == names.index("05_pr") + 1
    assert len(names) == len(lessons_in(ROOT / "notebooks")) + len(labs_in(LABS))


def test_a_first_use_without_a_link_is_found():
    known = ["soft prompt", "logits", "prompt", "seed"]
    linked = "A [soft prompt](../notebooks/glossary.ipynb#soft-prompt) is none of words."
    assert unlinked({"one": linked, "two": "Soft-prompts again."}, known) == []
    for text, used in [
        ("Read the prompts.", "prompt"),
        ("A logit is a number. [Logits](glossary.ipynb#logits) are many.", "logits"),
        ("See [prompts](05_prompts.ipynb). The prompt is short.", "prompt"),
    ]:
        [sentence] = unlinked({"one": text}, known)
        assert sentence.startswith(f"one is the first to use '{used}'"), text
    unused = (
        "## The prompt\n| seed |\n`seed` <b>seedling</b> [Lesson 05: a prompt](05.ipynb), pre-prompt\n```\nseed\n```"
    )
    assert unlinked({"one": unused}, known) == []
