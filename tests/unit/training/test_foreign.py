"""Texts of no category, without any: categories are left out of a training, and thresholds answer for them."""

import numpy as np
import pytest

from schemas import active_taxonomy, using
from tests.support.taxonomies import bank
from training.data.dataset import labelled
from training.encoders.known import known
from training.errors import DataError
from training.foreign import foreign_logits, left_out_of
from training.measures.calibration import softmax
from training.measures.held_out import HeldOut
from training.measures.rule import fit_rule, said_of_foreign
from training.split import measured_rows
from training.train import train_family

COUNT = 600


@pytest.fixture
def wanting(quick):
    return quick.model_copy(update={"foreign_share": 0.2})


def answers(count, best, lowest, highest, seed=0):
    """Logits of so many texts that are each taken for a category with more or less confidence."""
    logits = np.zeros((count, 9), dtype=np.float32)
    logits[np.arange(count), best] = np.random.default_rng(seed).uniform(lowest, highest, count)
    return logits


def asked(rows, held, config):
    """Return what models say of texts whose category they did not learn."""
    parts = left_out_of(rows, measured_rows(rows, config), config)
    return foreign_logits("static", rows, parts, held, config, lambda *_: None)


@pytest.fixture
def held():
    """Rows of two categories that are right, the unsure ones as well."""
    truth = np.arange(COUNT) % 2
    rows = labelled([f"отзыв {n}" for n in range(COUNT)], truth, "person")
    logits = answers(COUNT, truth, 1, 9)
    logits[::20] = np.roll(logits[::20], 1, axis=1)
    return HeldOut(rows, logits)


def precision_with(rule, held, foreign):
    known, strange = (softmax(x, rule.temperature) for x in (held.logits, foreign))
    thresholds = np.array(rule.thresholds)

    def sure(found):
        return found.max(axis=1) >= thresholds[found.argmax(axis=1)]

    right = (known.argmax(axis=1) == held.truth) & sure(known)
    return right.sum() / (sure(known).sum() + sure(strange).sum())


def test_the_precision_holds_although_part_of_the_stream_is_foreign(held):
    foreign = answers(COUNT // 4, np.arange(COUNT // 4) % 2, 1, 6, seed=1)
    plain = fit_rule(held, 0.9, 0.0)
    aware = fit_rule(HeldOut(held.rows, held.logits, foreign=foreign), 0.9, 0.0)
    others = answers(COUNT // 4, np.arange(COUNT // 4) % 2, 1, 6, seed=2)
    assert precision_with(plain, held, others) < 0.9
    assert precision_with(aware, held, others) > 0.89
    assert aware.temperature == plain.temperature
    assert aware.metrics["foreign_rows"] == COUNT // 4
    assert 0 < aware.metrics["foreign_published"] < 1
    # What is promised counts them as well.
    assert aware.promises[0].published > aware.promises[0].right


def test_a_foreign_text_that_is_taken_for_none_of_these_is_right(held):
    none = active_taxonomy().none_id
    foreign = answers(COUNT // 4, np.full(COUNT // 4, none), 8, 9)
    rule = fit_rule(HeldOut(held.rows, held.logits, foreign=foreign), 0.9, 0.0)
    assert rule.metrics["foreign_published"] == 0
    assert rule.promises[none].lower > 0.9


def test_a_model_says_what_it_does_with_texts_of_no_category(held, tmp_path):
    plain = fit_rule(held, 0.9, 0.0)
    assert said_of_foreign(plain.metrics) == [], "one category means none of these"
    foreign = answers(COUNT // 4, np.arange(COUNT // 4) % 2, 1, 6, seed=1)
    aware = fit_rule(HeldOut(held.rows, held.logits, foreign=foreign), 0.9, 0.0)
    (sentence,) = said_of_foreign(aware.metrics)
    assert f"Of {COUNT // 4} texts" in sentence
    with using(bank(tmp_path)):
        (sentence,) = said_of_foreign(plain.metrics)
        assert "No category means “none of these”" in sentence
        assert "--foreign" in sentence


def test_a_text_is_asked_of_a_model_that_did_not_learn_its_category(reviews, wanting):
    found = asked(reviews, len(reviews), wanting)
    assert len(found) == np.ceil(len(reviews) * 0.2 / 0.8)
    # The family gives a category without rows a logit below all others; "none of these" is always learned.
    absent = found <= -60
    assert absent.any(axis=1).all()
    assert not absent[:, active_taxonomy().none_id].any()
    assert (~absent).sum(axis=1).min() >= 2


def test_no_category_is_left_out_twice_for_want_of_rows(reviews, wanting):
    few = asked(reviews, 10 * len(reviews), wanting)
    others = reviews.categories != active_taxonomy().none_id
    assert len(few) == others.sum()


def test_a_training_with_foreign_texts_publishes_no_more_and_says_what_it_asked(
    reviews, wanting, tmp_path
):
    manifest = train_family("static", reviews, tmp_path / "aware", wanting)
    plain = wanting.model_copy(update={"foreign_share": 0.0})
    without = train_family("static", reviews, tmp_path / "plain", plain)
    assert manifest.metrics["foreign_rows"] == np.ceil(len(reviews) * 0.2 / 0.8)
    assert "foreign_rows" not in without.metrics
    assert manifest.metrics["published_coverage"] <= without.metrics["published_coverage"]


def test_which_rows_are_held_out_is_decided_once_in_a_training(
    reviews, wanting, tmp_path, monkeypatch
):
    calls = []

    def counted(dataset, base):
        calls.append(base)
        return known(dataset, base)

    monkeypatch.setattr("training.split.known", counted)
    train_family("static", reviews, tmp_path / "model", wanting)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("origin", "categories", "reason"),
    [("person", 3, "need 4 categories"), ("written", 8, "need labels of the stream")],
)
def test_what_leaves_nothing_to_ask_is_refused_before_a_training(
    wanting, tmp_path, monkeypatch, origin, categories, reason
):
    monkeypatch.setattr("training.train.fit_family", None)
    monkeypatch.setattr("training.train.out_of_fold", None)
    rows = labelled([f"отзыв {n}" for n in range(80)], np.arange(80) % categories, origin)
    with pytest.raises(DataError, match=reason):
        train_family("static", rows, tmp_path / "model", wanting)


def test_of_three_categories_none_can_be_left_out(wanting):
    rows = labelled([f"отзыв {n}" for n in range(30)], np.arange(30) % 3, "person")
    with pytest.raises(DataError, match="foreign texts need 4 categories"):
        left_out_of(rows, measured_rows(rows, wanting), wanting)
