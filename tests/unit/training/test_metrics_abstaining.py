import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score, precision_recall_fscore_support

from training.measures.metrics import (
    category_scores,
    cohen_kappa,
    confusion,
    weighted_f1,
)

ids = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60)


@given(ids)
def test_scores_are_those_of_sklearn(pairs):
    truth, given_ids = (np.array(side) for side in zip(*pairs, strict=True))
    wanted = precision_recall_fscore_support(truth, given_ids, labels=range(9), zero_division=0)
    scores = category_scores(truth, given_ids)
    assert [s.precision for s in scores] == pytest.approx(wanted[0])
    assert [s.recall for s in scores] == pytest.approx(wanted[1])
    assert [s.f1 for s in scores] == pytest.approx(wanted[2])
    assert [s.support for s in scores] == wanted[3].tolist()


@given(ids)
def test_kappa_is_that_of_sklearn(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    wanted = cohen_kappa_score(first, second)
    if not np.isnan(wanted):
        assert cohen_kappa(first, second) == pytest.approx(wanted)


def test_abstentions_count_against_recall_only():
    truth, given_ids = np.array([2, 2, 2, 2]), np.array([2, 2, -1, -1])
    assert confusion(truth, given_ids).sum() == 2
    clothing = category_scores(truth, given_ids)[2]
    assert (clothing.precision, clothing.recall) == (1.0, 0.5)


def test_weighted_f1_is_that_of_scikit_learn_with_an_abstention_as_a_miss():
    rng = np.random.default_rng(7)
    truth, given_ids = rng.integers(0, 9, 200), rng.integers(-1, 9, 200)
    wanted = f1_score(truth, given_ids, average="weighted", labels=range(9), zero_division=0)
    assert weighted_f1(truth, given_ids) == pytest.approx(wanted)
