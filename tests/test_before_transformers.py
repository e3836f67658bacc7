"""N-grams, the recurrent network and the small transformer, and the rulers that compare them."""

import math
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from utils.before_transformers import (
    Reader,
    Recurrent,
    SmallTransformer,
    bits_per_byte,
    count_ngrams,
    count_parameters,
    gradient_reach,
    learn_vocabulary,
    name_gains,
    seconds_table,
    train,
)
from utils.before_transformers.training import next_token_loss
from utils.datasets import load_reviews, load_sentences
from utils.errors import DataError, TuningError, UnsupportedSetting
from utils.plots import Plot, line_curves, loss_curve
from utils.widgets.live import live
from utils.widgets.ngram_writer import NGramWriter

TEXTS = ["a warm and funny film", "a cold and empty film", "a warm and funny story with a warm end"] * 3
ROWS = [[0, 1, 2, 1, 2, 3], [0, 1, 3]]


@pytest.fixture(scope="module")
def vocabulary():
    return learn_vocabulary(TEXTS, size=280)


@pytest.fixture(scope="module")
def ngrams(vocabulary):
    return count_ngrams([vocabulary.encode(text) for text in TEXTS], order=5, vocabulary=len(vocabulary))


def networks():
    return [Recurrent(300), Recurrent(300, cell="tanh"), SmallTransformer(300)]


def test_sentences_are_split_the_same_way_each_time_none_in_both():
    train_text, held_out = load_sentences("train"), load_sentences("test")
    assert (len(train_text), len(held_out)) == (9603, 1000)
    assert not {text.lower() for text in train_text} & {text.lower() for text in held_out}
    assert held_out[0].startswith("Brown Sugar signals director")
    assert {review.text for review in load_reviews("test")} <= {*train_text, *held_out}
    with pytest.raises(DataError, match="no split 'validation'"):
        load_sentences("validation")


@pytest.mark.parametrize("text", ["a warm film", "", "Größe 한국어 🙂\n\ttab", TEXTS[0]])
def test_any_text_comes_back_from_a_vocabulary(vocabulary, text):
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.encode(text)[0] == 0


def test_a_vocabulary_is_the_same_each_time_and_joins_what_is_frequent(vocabulary):
    assert learn_vocabulary(TEXTS, size=280).encode(TEXTS[0]) == vocabulary.encode(TEXTS[0])
    assert len(vocabulary.encode(TEXTS[0])) < len(TEXTS[0]) / 2


def test_rows_are_one_stream_in_which_each_row_begins_with_the_last_one_s_end(vocabulary):
    rows, stream = vocabulary.rows(TEXTS, length=7), [token for text in TEXTS for token in vocabulary.encode(text)]
    assert rows.shape == ((len(stream) - 1) // 7, 8)
    assert torch.equal(rows[1:, 0], rows[:-1, -1])
    assert [*rows[0].tolist(), *rows[1, 1:].tolist()] == stream[:15]


def test_counts_are_those_of_the_text_and_unsmoothed_probabilities_their_shares():
    found = count_ngrams(ROWS, order=3, vocabulary=5)
    assert found.counts[0][()] == {1: 3, 2: 2, 3: 2}
    assert found.counts[1][(1,)] == {2: 2, 3: 1} and found.counts[2][(1, 2)] == {1: 1, 3: 1}
    assert found.of_order(2, smoothed=False).after([4, 1]).tolist() == pytest.approx([0, 0, 2 / 3, 1 / 3, 0])
    assert not found.of_order(3, smoothed=False).after([4, 1]).any(), "a context that was never seen"


def test_smoothing_is_that_of_witten_and_bell():
    found = count_ngrams(ROWS, order=2, vocabulary=5)
    unigram = [(count + 3 / 5) / (7 + 3) for count in (0, 3, 2, 2, 0)]
    assert found.of_order(1).after([1]).tolist() == pytest.approx(unigram)
    seen = [(count + 2 * p) / (3 + 2) for count, p in zip((0, 0, 2, 1, 0), unigram, strict=True)]
    assert found.after([1]).tolist() == pytest.approx(seen)
    assert found.after([4]).tolist() == pytest.approx(unigram), "a context that was never seen"


@pytest.mark.parametrize("order", range(1, 6))
def test_smoothed_probabilities_sum_to_1_and_none_is_0(ngrams, vocabulary, order):
    rows = ngrams.of_order(order).predict(vocabulary.encode("a warm and sad film, Zoë"))
    assert rows.sum(1) == pytest.approx(np.ones(len(rows))) and (rows > 0).all()


def test_what_was_never_counted_is_a_share_of_all():
    found = count_ngrams(ROWS, order=2, vocabulary=5)
    assert found.unseen([[0, 1, 2, 4]]) == pytest.approx(1 / 3)
    assert found.unseen(ROWS) == 0 and found.of_order(1).unseen([[0, 4]]) == 1


def test_where_one_kind_followed_nothing_is_chosen(ngrams, vocabulary):
    assert ngrams.of_order(1).forced(vocabulary.encode(TEXTS[0])) == 0
    assert count_ngrams([[0, 1, 2]], order=2, vocabulary=3).forced([0, 1, 2]) == 1


@pytest.mark.parametrize("order", [0, 6, 2.5, "three", None])
def test_an_order_that_was_not_counted_is_refused(ngrams, order):
    with pytest.raises(UnsupportedSetting, match="from 1 to 5"):
        ngrams.of_order(order)
    with pytest.raises(UnsupportedSetting, match="1 or more"):
        count_ngrams(ROWS, order=-1, vocabulary=5)


def test_bits_are_the_logarithm_of_what_the_tokens_were_given(ngrams, vocabulary):
    before, continuation = "a warm", " and sad film"
    given, ids = len(vocabulary.encode(before)), vocabulary.encode(before + continuation)
    by_hand = -sum(math.log2(ngrams.after(ids[:at])[ids[at]]) for at in range(given, len(ids)))
    assert Reader(vocabulary, ngrams).bits([(before, continuation)]) == pytest.approx([by_hand])
    unsmoothed = Reader(vocabulary, ngrams.of_order(3, smoothed=False))
    assert unsmoothed.bits([(before, " xylophone")]) == [math.inf]


def test_bits_of_a_network_are_its_cross_entropy(vocabulary):
    for network in networks():
        ids = torch.tensor([vocabulary.encode(TEXTS[0])])
        given = len(vocabulary.encode("a warm"))
        with torch.no_grad():
            nats = cross_entropy(network(ids)[0, given - 1 : -1], ids[0, given:], reduction="sum").item()
        found = Reader(vocabulary, network).bits([("a warm", TEXTS[0].removeprefix("a warm"))])
        assert found == pytest.approx([nats / math.log(2)], rel=1e-4)


def test_bits_per_byte_leave_the_first_word_out_and_count_bytes():
    asked = []
    found = bits_per_byte(lambda pairs: asked.extend(pairs) or [12.0, 12.0], ["One two", "One zwölf"])
    assert asked == [("One", " two"), ("One", " zwölf")]
    assert found.tolist() == [12 / 4, 12 / 7]


def test_what_is_written_follows_the_seed_and_ends_at_a_text_s_end(ngrams, vocabulary):
    reader = Reader(vocabulary, ngrams.of_order(4, smoothed=False))
    texts = {reader.write("a warm", tokens=30, seed=seed) for seed in range(20)}
    assert reader.write("a warm", tokens=30, seed=3) == reader.write("a warm", tokens=30, seed=3)
    assert len(texts) > 1 and all(text.startswith("a warm") for text in texts)
    assert {text.split()[-1] for text in texts} <= {"film", "story", "end"}


def test_networks_see_no_later_token_and_have_the_same_size():
    for network in networks():
        ids = torch.arange(1, 13)[None]
        changed = ids.clone()
        changed[0, -1] = 200
        with torch.no_grad():
            difference = (network(ids) - network(changed)).abs().amax(-1)[0]
        assert (difference[:-1] < 1e-5).all() and difference[-1] > 1e-3
    sizes = [count_parameters(made(1024)) for made in (Recurrent, SmallTransformer)]
    assert abs(sizes[0] - sizes[1]) < 0.01 * sizes[0]


def test_a_network_is_made_from_its_seed_alone():
    torch.manual_seed(5)
    before, one = torch.get_rng_state(), Recurrent(300, seed=1).embedding.weight
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, Recurrent(300, seed=1).embedding.weight)
    assert not torch.equal(one, Recurrent(300, seed=2).embedding.weight)


@pytest.mark.parametrize("made", [Recurrent, SmallTransformer])
def test_training_learns_the_text_and_tells_every_loss(vocabulary, made):
    rows, told = vocabulary.rows(TEXTS, length=10), []
    network = made(len(vocabulary))
    losses = train(network, rows, steps=30, rows_a_step=4, show=lambda losses: told.append(len(losses)))
    assert told == list(range(1, 31)) and len(losses) == 30
    assert losses[-1] < losses[0] - 2 and not network.training
    again = train(made(len(vocabulary)), rows, steps=30, rows_a_step=4)
    assert again == pytest.approx(losses, rel=1e-3)


def test_a_loss_that_is_no_number_ends_the_training_in_a_sentence(vocabulary):
    network = Recurrent(len(vocabulary))
    torch.nn.init.constant_(network.output.bias, math.inf)
    with pytest.raises(TuningError, match=r"became nan at step 1: make the network anew .* below 0\.01"):
        train(network, vocabulary.rows(TEXTS, length=10), steps=5, learning_rate=0.01)


def test_an_interrupt_says_what_is_kept(vocabulary):
    def stop(losses):
        if len(losses) == 3:
            signal.raise_signal(signal.SIGINT)

    network = Recurrent(len(vocabulary))
    rows = vocabulary.rows(TEXTS, length=10)
    before = next_token_loss(network, rows).item()
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(network, rows, steps=50, show=stop)
    assert stopped.value.__notes__[0].startswith("The network keeps what it has learnt in 3 of 50 steps")
    assert next_token_loss(network, rows).item() < before and not network.training


def test_the_gradient_reaches_back_as_far_as_the_weights_let_it():
    network = Recurrent(300, cell="tanh")
    with torch.no_grad():
        network.cell.weight_hh_l0.copy_(0.5 * torch.eye(256))
        network.cell.weight_ih_l0.copy_(torch.eye(256))
        network.cell.bias_ih_l0.zero_()
        network.cell.bias_hh_l0.zero_()
        network.embedding.weight.mul_(0.01)  # where tanh is a straight line
    reach = gradient_reach(network, torch.randint(0, 300, (4, 12)))
    assert len(reach) == 11
    assert reach[1:6] / reach[:5] == pytest.approx([0.5] * 5, rel=0.02)


def test_a_name_is_worth_what_a_model_remembers():
    def remembers(pairs):
        return [1.0 if text.count(name.strip()) else 6.0 for text, name in pairs]

    filler = [f"It rained on day {n}." for n in range(40)]
    assert name_gains(remembers, filler, words=5, texts=6).tolist() == [5.0] * 6
    assert not name_gains(lambda pairs: [4.0] * len(pairs), filler, words=20, texts=4).any()


@pytest.mark.parametrize("words", [5, 20, 80])
def test_so_many_words_stand_between_the_two_names(words):
    asked = []
    name_gains(lambda pairs: asked.extend(pairs) or [0.0] * len(pairs), ["One two three."] * 60, words=words, texts=3)
    for (right, name), (other, same) in zip(asked[::2], asked[1::2], strict=True):
        first, then = right.split(". ", 1)
        assert name == same and first.endswith(name) and len(then.split()) == words
        assert other.replace(other.split()[6], first.split()[-1] + ".") == right


def test_too_few_words_between_two_names_are_refused():
    with pytest.raises(UnsupportedSetting, match=r"5 or more; 4 was given"):
        name_gains(lambda pairs: [0.0] * len(pairs), ["a"], words=4, texts=1)


def test_seconds_are_measured_for_each_length_and_the_threads_are_given_back():
    before = torch.get_num_threads()
    table = seconds_table({"GRU": Recurrent(1024)}, [4, 8], threads=[1, 2])
    assert torch.get_num_threads() == before
    assert table.index.tolist() == [("read", 4), ("read", 8), ("train", 4), ("train", 8)]
    assert table.columns.tolist() == ["GRU, threads: 1", "GRU, threads: 2"] and (table > 0).all(axis=None)


def test_curves_say_in_words_what_they_draw():
    plot = loss_curve([4.0, 2.0, 1.0, 1.0, 9.0], every=2)
    assert plot.alt == "Line plot of loss (nats a token) against step. loss: 3 at 2, 1 at 4, 9 at 6." and plot.png
    table = pd.DataFrame({"a": np.linspace(1, 0.1, 40), "b": 0.5})
    assert line_curves(table, xlabel="x", ylabel="y", yscale="log").alt.count(" at ") <= 16


def test_orders_are_written_whole_and_one_line_needs_no_legend(monkeypatch):
    drawn = []
    monkeypatch.setattr("utils.plots._plot", lambda figure, alt: drawn.append(figure.axes[0]))
    for columns in ("a", "ab"):
        line_curves(pd.DataFrame(2.0, index=range(1, 6), columns=list(columns)), xlabel="order", ylabel="bits")
    one, two = drawn
    assert [tick for tick in one.get_xticks() if 1 <= tick <= 5] == [1, 2, 3, 4, 5]
    assert one.get_legend() is None and len(two.get_legend().texts) == 2


def test_a_live_picture_is_drawn_every_so_many_calls(monkeypatch):
    drawn, shown = [], []
    monkeypatch.setattr("IPython.display.DisplayHandle.display", lambda handle, plot: shown.append(plot.alt))
    monkeypatch.setattr("IPython.display.DisplayHandle.update", lambda handle, plot: shown.append(plot.alt))
    show = live(lambda state: drawn.append(state) or Plot(b"", str(state)), every=3)
    for state in range(1, 10):
        show(state)
    assert drawn == [3, 6, 9] and shown == ["3", "6", "9"]


def test_the_writer_writes_anew_when_a_hand_moves_and_refuses_in_words(ngrams, vocabulary):
    made = NGramWriter(vocabulary, ngrams, "a warm", 3)
    texts = {made.written}
    for order, drawn in ((1, "without looking back"), (2, "by the one before it"), (5, "by the 4 before it")):
        made.order.value = order
        texts.add(made.written)
        assert made.written in made.page.value.replace("&#x27;", "'")
        assert made.said.startswith(f"Each token is drawn {drawn}: ")
        assert ("there the text is copied" in made.said) is bool(made.forced) is (order > 1)
    assert len(texts) >= 3
    lost = NGramWriter(vocabulary, ngrams, "film film", 5)
    assert lost.ended and lost.written == "film film" and lost.said.endswith("so the text ends.")
    made.order.type("7")
    assert made.order.error.startswith("The order is a whole number from 1 to 5") and made.order.value == 5
