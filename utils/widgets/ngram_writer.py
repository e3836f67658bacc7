"""The n-gram writer: move the order and read what counts alone write."""

import ipywidgets as widgets

from utils.arguments import whole_number
from utils.before_transformers.ngrams import NGrams
from utils.before_transformers.reading import Reader
from utils.before_transformers.vocabulary import Vocabulary
from utils.widgets.slider import Slider, seed_box
from utils.widgets.view import beside, paragraph, show, told_in

TOKENS = 40
FEW = {0: "without looking back", 1: "by the one before it"}
FREE = "The counts left a choice at every token: nothing was copied but single tokens."
LAST = " Nothing ever stood behind the last tokens, so the text ends."


class NGramWriter:
    """A slider for the order and a box for the seed; below them a text drawn from the counts, not smoothed.

    written: the text; forced: the share of its tokens at which the counts left no choice; ended: whether nothing
    was ever counted behind its last tokens.
    """

    def __init__(self, vocabulary: Vocabulary, ngrams: NGrams, prompt: str, order: int) -> None:
        self.vocabulary, self.ngrams, self.prompt = vocabulary, ngrams, prompt
        rule = f"the order is a whole number from 1 to {ngrams.order}"
        stops = range(1, ngrams.order + 1)
        self.order = Slider(
            "Order", order, stops, lambda value: whole_number(value, rule, least=1, most=ngrams.order), whole=True
        )
        self.seed = seed_box(0)
        self.message, self.page = widgets.HTML(), widgets.HTML(layout=widgets.Layout(min_height="110px"))
        for control in (self.order, self.seed):
            control.when_moved(self.redraw)
        self.redraw()

    @property
    def view(self) -> widgets.VBox:
        """The controls above the text."""
        return widgets.VBox([beside(self.order, self.seed, least=260), self.message, self.page])

    @property
    def said(self) -> str:
        """What was written, and how free it was."""
        count = self.order.value - 1
        drawn = FEW.get(count, f"by the {count} before it")
        copied = f"At {self.forced:.0%} of the tokens the counts left one choice only: there the text is copied."
        return f"Each token is drawn {drawn}: {self.written}\n\n{copied if self.forced else FREE}{LAST * self.ended}"

    def redraw(self) -> None:
        """Write anew with the order and the seed of the controls."""
        with told_in(self.message):
            ngrams = self.ngrams.of_order(self.order.value, smoothed=False)
            reader = Reader(self.vocabulary, ngrams)
            self.written = reader.write(self.prompt, tokens=TOKENS, seed=self.seed.value)
            ids = self.vocabulary.encode(self.written)
            self.forced, self.ended = ngrams.forced(ids), not ngrams.kinds(ids)
            self.page.value = paragraph(self.said)


def ngram_writer(vocabulary: Vocabulary, ngrams: NGrams, prompt: str, *, order: int = 2) -> NGramWriter:
    """Show what n-grams write behind a prompt, with the order on a slider, and return the widget."""
    made = NGramWriter(vocabulary, ngrams, prompt, order)
    show(made.view, summary=paragraph(made.said), text=f"An n-gram writer of order {made.order.value}. {made.said}")
    return made
