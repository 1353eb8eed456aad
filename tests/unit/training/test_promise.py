"""What a published precision is promised to be, and thresholds that keep a promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from schemas import category_count
from training.measures.calibration import NEVER
from training.measures.promise import (
    guaranteed_threshold,
    guaranteed_thresholds,
    lower_bound,
    promises,
)


def two_categories(confidence, right):
    """Return probabilities whose best category is 0, and the truth."""
    probabilities = np.zeros((len(confidence), category_count()))
    probabilities[:, 0] = confidence
    probabilities[:, 1] = 1 - confidence
    return probabilities, np.where(right, 0, 1)


@given(st.integers(1, 400), st.floats(0, 1))
def test_the_bound_is_where_so_good_a_sample_is_as_rare_as_said(rows, share):
    right = round(rows * share)
    bound = lower_bound(right, rows)
    assert bound <= right / rows
    if right:
        assert binom.sf(right - 1, rows, bound) == pytest.approx(0.05, abs=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_a_guaranteed_threshold_is_never_below_one_whose_bound_misses_the_precision(seed):
    chance = np.random.default_rng(seed)
    confidence = chance.uniform(0.5, 1, 800)
    right = chance.random(800) < confidence**0.2
    threshold = guaranteed_threshold(confidence, right, 0.95)
    sure = confidence >= threshold
    if threshold < NEVER:
        assert lower_bound(int(right[sure].sum()), int(sure.sum())) >= 0.95


@pytest.mark.slow
def test_the_promise_is_kept_in_nineteen_of_twenty_draws():
    """Confidence is the probability of being right; asked for 0.95, over 300 draws of labels."""
    chance = np.random.default_rng(7)
    broken = 0
    for _ in range(300):
        confidence = 1 - chance.beta(0.6, 6, 600)
        right = chance.random(600) < confidence
        threshold = guaranteed_threshold(confidence, right, 0.95)
        if threshold < NEVER:
            beyond = 1 - chance.beta(0.6, 6, 40_000)
            broken += beyond[beyond >= threshold].mean() < 0.95
    assert broken <= 15


def test_few_rows_promise_nothing_by_themselves_but_may_together():
    confidence = np.linspace(0.9, 0.999, 60)
    assert guaranteed_threshold(confidence, np.ones(60, bool), 0.95) == NEVER
    probabilities = np.zeros((180, category_count()))
    truth = np.repeat([0, 1, 2], 60)
    probabilities[np.arange(180), truth] = np.tile(confidence, 3)
    thresholds = guaranteed_thresholds(probabilities, truth, 0.95)
    assert len(set(thresholds[:3])) == 1
    assert thresholds[0] < 1
    assert set(thresholds[3:]) == {0.95}, "no row was taken for them: asked to be as sure as that"


def test_a_category_without_a_promise_says_how_many_labels_it_needs():
    probabilities, truth = two_categories(np.full(40, 0.9), np.ones(40, bool))
    found = promises(probabilities, truth, np.full(category_count(), 0.5), 0.95)
    assert (found[0].published, found[0].right, found[0].needed) == (40, 40, 59)
    assert found[0].lower == pytest.approx(0.928, abs=0.001)
    assert found[1].lower == 0


def test_what_is_less_precise_than_asked_is_promised_by_no_number_of_labels():
    right = np.arange(100) >= 10
    probabilities, truth = two_categories(np.full(100, 0.9), right)
    found = promises(probabilities, truth, np.full(category_count(), 0.5), 0.95)
    assert found[0].needed is None
