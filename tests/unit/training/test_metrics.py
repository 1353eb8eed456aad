"""Scores agree with scikit-learn; intervals and tests behave as their definitions say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from stream.intervals import wilson
from training.measures.metrics import (
    accuracy,
    bootstrap,
    category_scores,
    confusion,
    macro_f1,
    paired_bootstrap,
    weighted_f1,
)

_pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60)


def _arrays(pairs):
    truth, predicted = zip(*pairs, strict=True)
    return np.array(truth, dtype=np.int64), np.array(predicted, dtype=np.int64)


@settings(max_examples=60, deadline=None)
@given(_pairs)
def test_f1_is_scikit_learns(pairs):
    truth, predicted = _arrays(pairs)
    present = sorted(set(truth.tolist()))
    weighted = f1_score(truth, predicted, average="weighted", zero_division=0)
    macro = f1_score(truth, predicted, labels=present, average="macro", zero_division=0)
    assert np.isclose(weighted_f1(truth, predicted), weighted)
    assert np.isclose(macro_f1(truth, predicted), macro)


@given(_pairs)
def test_the_confusion_matrix_counts_every_row_once(pairs):
    truth, predicted = _arrays(pairs)
    table = confusion(truth, predicted)
    assert table.sum() == len(truth)
    assert [score.support for score in category_scores(truth, predicted)] == table.sum(1).tolist()


def test_an_interval_holds_its_value_and_narrows_with_more_rows():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 9, 2000)
    predicted = np.where(rng.random(2000) < 0.8, truth, 8)
    wide = bootstrap(weighted_f1, truth[:100], predicted[:100], resamples=200)
    narrow = bootstrap(weighted_f1, truth, predicted, resamples=200)
    assert wide.low <= wide.value <= wide.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_a_model_is_not_better_than_itself():
    truth = np.arange(90) % 9
    same = paired_bootstrap(weighted_f1, truth, truth, truth, resamples=100)
    assert same.difference.value == 0
    assert same.p_better == 0.5


def test_a_clearly_better_model_is_found_better():
    truth = np.arange(180) % 9
    worse = np.where(np.arange(180) % 3 == 0, 8, truth)
    found = paired_bootstrap(weighted_f1, truth, truth, worse, resamples=200)
    assert found.difference.low > 0
    assert found.p_better == 1.0


def test_of_a_few_rows_that_are_all_right_the_interval_is_no_certainty():
    truth = np.array([0, 1, 1])
    found = bootstrap(accuracy, truth, truth, resamples=50)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(3, 3)[0])
