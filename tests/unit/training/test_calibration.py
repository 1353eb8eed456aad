"""Confidence means what it says after calibration, and thresholds keep their promise."""

import numpy as np
import pytest

from schemas import category_count
from training.measures.calibration import (
    LEAST_THRESHOLD,
    NEVER,
    choose_thresholds,
    confidence_histogram,
    expected_calibration_error,
    fit_temperature,
    published,
    reliability,
    risk_coverage,
    softmax,
)


def _overconfident(rows: int, seed: int, temperature: float = 3.0):
    """Make logits whose calibrated version is known: truth is drawn from it."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 3, (rows, 9))
    probabilities = softmax(honest)
    truth = np.array([rng.choice(9, p=row) for row in probabilities])
    return honest * temperature, truth


def test_the_temperature_of_overconfident_logits_is_found():
    logits, truth = _overconfident(4000, 0)
    assert fit_temperature(logits, truth) == pytest.approx(3.0, rel=0.1)


def test_the_right_temperature_removes_the_calibration_error():
    logits, truth = _overconfident(4000, 1)
    before = expected_calibration_error(softmax(logits), truth)
    after = expected_calibration_error(softmax(logits, 3.0), truth)
    assert before > 0.15
    assert after < 0.03


def test_reliability_bins_hold_every_row_and_rise_in_confidence():
    logits, truth = _overconfident(500, 2)
    bins = reliability(softmax(logits), truth, 10)
    assert sum(part.rows for part in bins) == 500
    assert [part.confidence for part in bins] == sorted(part.confidence for part in bins)


def test_thresholds_reach_their_precision_on_other_rows():
    logits, truth = _overconfident(4000, 3)
    thresholds = choose_thresholds(softmax(logits, 3.0), truth, 0.95)
    other, other_truth = _overconfident(4000, 4)
    precision, coverage = published(softmax(other, 3.0), other_truth, thresholds)
    assert precision > 0.93
    assert coverage > 0.1


def test_a_lower_precision_publishes_more():
    logits, truth = _overconfident(3000, 5)
    probabilities = softmax(logits, 3.0)
    shares = [
        published(probabilities, truth, choose_thresholds(probabilities, truth, wanted))[1]
        for wanted in (0.99, 0.95, 0.8)
    ]
    assert shares == sorted(shares)


def test_a_category_that_is_always_wrong_is_never_published():
    probabilities = np.full((100, 9), 0.01)
    probabilities[:, 0] = 0.92
    thresholds = choose_thresholds(probabilities, np.full(100, 5), 0.95)
    assert thresholds[0] == NEVER


def test_a_perfect_category_is_still_held_to_an_even_chance():
    probabilities = np.full((100, 9), 0.07)
    probabilities[:, 0] = 0.44
    thresholds = choose_thresholds(probabilities, np.zeros(100, dtype=np.int64), 0.9)
    assert thresholds[0] == LEAST_THRESHOLD


def test_a_category_that_no_row_was_taken_for_is_published_from_the_wanted_precision_on():
    truth = np.repeat([0, 1], 60)
    probabilities = np.zeros((120, category_count()))
    probabilities[np.arange(120), truth] = 0.9
    thresholds = choose_thresholds(probabilities, truth, 0.95)
    assert thresholds[:2].tolist() == [0.9, 0.9]
    assert set(thresholds[2:]) == {0.95}


def test_risk_falls_as_less_is_published_if_confidence_is_honest():
    logits, truth = _overconfident(4000, 6)
    curve = risk_coverage(softmax(logits, 3.0), truth)
    assert curve.risk[400] < curve.risk[2000] < curve.risk[-1]
    assert curve.risk[400] < curve.area < curve.risk[-1]


def test_the_confidence_histogram_sums_to_one():
    logits, _ = _overconfident(100, 7)
    histogram = confidence_histogram(softmax(logits))
    assert len(histogram) == 20
    assert sum(histogram) == pytest.approx(1.0)


def test_a_rare_category_is_asked_for_what_its_rows_can_tell():
    # 40 rows, one wrong: 98% cannot be shown with so few, 92.5% can.
    probabilities = np.full((40, 9), 0.01)
    probabilities[:, 3] = np.linspace(0.9, 0.92, 40)
    truth = np.full(40, 3)
    truth[0] = 8
    assert choose_thresholds(probabilities, truth, 0.98)[3] < 0.92


def test_a_category_that_cannot_be_so_precise_is_held_to_less_before_it_is_never_published():
    # One in fifteen is wrong, spread evenly: 98% is out of reach, 90% is not.
    probabilities = np.full((300, 9), 0.01)
    probabilities[:, 3] = np.linspace(0.8, 0.92, 300)
    truth = np.where(np.arange(300) % 15 == 7, 8, 3)
    assert choose_thresholds(probabilities, truth, 0.98)[3] < NEVER
