"""The family without states: what it learns of pieces, letters and pairs, and that it says so when served."""

import numpy as np
import pytest

from training.data.dataset import labelled
from training.encoders.vocabulary import learn_tokenizer
from training.models.static import Linear, begins_of, letters_of
from training.train import fit_family

PLACES = ("london", "paris", "rome", "oslo", "bonn")


@pytest.fixture
def learned(reviews, quick):
    return fit_family("static", reviews, quick)


def test_categories_are_told_apart(reviews, learned):
    right = learned.logits(reviews.normalized).argmax(axis=1) == reviews.categories
    assert right.mean() > 0.95


def test_its_vocabulary_is_that_of_the_texts(learned):
    pieces = learned.encoder.tokenizer.get_vocab()
    assert "чайник" in pieces
    assert "where" not in pieces


def test_the_table_says_what_the_machines_say(reviews, learned, quick, monkeypatch):
    """Features are counted once in Python, to fit, and once by the graph, to serve: they are the same."""
    fitted = []
    fit = Linear.fit
    monkeypatch.setattr(
        Linear, "fit", lambda *given: fitted.append((fit(*given), given[1])) or fitted[-1][0]
    )
    model = fit_family("static", reviews, quick)
    ((linear, features),) = fitted
    margins = features @ linear.weights.T + linear.bias
    said = model.logits(reviews.normalized)
    np.testing.assert_allclose(said / said.std(), margins / margins.std(), atol=1e-3)


def test_a_text_says_the_same_alone_and_beside_longer_ones(learned):
    alone = learned.logits(["чайник", ""])
    among = learned.logits(["чайник", "", "наушники не понравилось совсем " * 3])
    np.testing.assert_allclose(among[:2], alone, atol=1e-5)
    assert np.isfinite(alone).all()


def test_the_order_of_words_tells_categories_apart(quick):
    """The same words, so that only their order can."""
    texts = [f"from {a} to {b} now" for a in PLACES for b in PLACES if a != b]
    ids = [int(a > b) for a in PLACES for b in PLACES if a != b]
    rows = labelled(texts * 3, ids * 3, "person")
    model = fit_family("static", rows, quick)
    assert (model.logits(rows.normalized).argmax(axis=1) == rows.categories).mean() > 0.95


def test_words_that_are_far_apart_are_a_pair(quick):
    """Neither word alone tells anything, only that both are there."""
    between = "and then it was said of"
    texts = [f"{a} {between} {b}" for a in ("red", "green") for b in ("cup", "hat")] * 3
    rows = labelled(texts, [0, 1, 1, 0] * 3, "person")
    model = fit_family("static", rows, quick)
    assert (model.logits(rows.normalized).argmax(axis=1) == rows.categories).all()


def test_an_unknown_form_of_a_word_is_understood_by_its_letters(quick):
    forms = [
        "payment",
        "payments",
        "paying",
        "payable",
        "delivery",
        "deliveries",
        "delivered",
        "deliver",
    ]
    rows = labelled(
        [f"about {word}" for word in forms for _ in range(4)], [0] * 16 + [1] * 16, "person"
    )
    model = fit_family("static", rows, quick)
    assert model.logits(["about payer", "about delivering"]).argmax(axis=1).tolist() == [0, 1]


def test_a_row_of_little_weight_teaches_little(quick):
    texts = ["good cup"] * 8
    rows = labelled([*texts, "bad hat"], [0] * 4 + [1] * 4 + [1], "person")
    rows.weight[:4] = 0.05
    assert fit_family("static", rows, quick).logits(["good cup"]).argmax() == 1


def test_pieces_of_a_word_share_its_letters():
    tokenizer = learn_tokenizer(["payment payment payment payments payments payments"])
    grams = letters_of(tokenizer)
    one, other = (grams[tokenizer.token_to_id(word)] for word in ("payment", "payments"))
    shared = one.multiply(other).getnnz()
    assert shared > one.getnnz() / 2


def test_a_pair_is_known_in_other_forms_of_its_words(quick):
    """Neither word alone tells anything, and these forms were never met."""
    texts = [f"{a} for the {b}" for a in ("payments", "deliveries") for b in ("cards", "houses")]
    rows = labelled(texts * 4, [0, 1, 1, 0] * 4, "person")
    model = fit_family("static", rows, quick)
    others = ["payment for the card", "payment for the house", "delivery for the card"]
    assert model.logits(others).argmax(axis=1).tolist() == [0, 1, 1]


def test_pieces_that_begin_alike_are_one_in_pairs():
    tokenizer = learn_tokenizer(["payment payments card paper"] * 3)
    begins = begins_of(tokenizer)
    number = {
        word: begins[tokenizer.token_to_id(word)] for word in ("payment", "payments", "paper")
    }
    assert number["payment"] == number["payments"] != number["paper"]
