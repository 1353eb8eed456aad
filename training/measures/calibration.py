"""What a confidence is worth: temperature, thresholds, reliability, risk against coverage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from schemas import category_count

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER: Final = 1.01
"""A threshold that no probability reaches: the category is never published unseen."""
_BINS: Final = 15
_HISTOGRAM_BINS: Final = 20
# Half an error more than was seen: a handful of lucky rows must not open the door.
_INVENTED_ERRORS: Final = 0.5
# A category with fewer confident predictions than this is judged by all categories together.
_ENOUGH: Final = 30
_RULE_OF_THREE: Final = 3.0
# Asked of a category in turn that reaches the wanted precision at no threshold: without them a few
# confident errors among its rows would send every review of it to people.
_CONCESSIONS: Final = (0.95, 0.9)
# Below an even chance nothing is published, however good the sample looks.
LEAST_THRESHOLD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram."""

    confidence: float
    """Mean confidence of its rows."""
    accuracy: float
    rows: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Risk against coverage: what share of errors remains if only the surest are published."""

    coverage: Floats
    """Share published, float64 [points], rising."""
    risk: Floats
    """Share of errors among the published, float64 [points]."""

    @property
    def area(self) -> float:
        """Area under the curve (AURC), the mean risk over all coverages. Lower is better."""
        return float(self.risk.mean())


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """Return probabilities float64 [rows, categories] of logits [rows, categories]."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exp = np.exp(scaled)
    return np.asarray(exp / exp.sum(axis=1, keepdims=True), dtype=np.float64)


def fit_temperature(
    logits: NDArray[np.floating], truth: Ids, weight: NDArray[np.floating] | None = None
) -> float:
    """Return the temperature with the least log loss (Guo et al., ICML 2017).

    Args:
        logits: of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        weight: of each row, or None for equal weights.
    """
    weights = np.ones(len(truth)) if weight is None else np.asarray(weight, dtype=np.float64)
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, float(np.exp(log_temperature)))
        return float(-(weights * np.log(probabilities[rows, truth] + 1e-12)).sum() / weights.sum())

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10.0)), method="bounded")
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities: NDArray[np.floating], truth: Ids, bins: int = _BINS
) -> float:
    """Return the mean gap between confidence and accuracy over equally full bins.

    Equal mass instead of equal width: with most confidences near one, equal widths leave nearly all
    rows in a single bin (Nguyen and O'Connor, EMNLP 2015).
    """
    parts = reliability(probabilities, truth, bins)
    total = sum(part.rows for part in parts)
    return sum(part.rows * abs(part.confidence - part.accuracy) for part in parts) / total


def reliability(probabilities: NDArray[np.floating], truth: Ids, bins: int = _BINS) -> list[Bin]:
    """Return the bars of the reliability diagram, equally full, least confident first."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    return [
        Bin(float(confidence[part].mean()), float(right[part].mean()), len(part))
        for part in np.array_split(order, min(bins, len(order)))
        if len(part)
    ]


def risk_coverage(probabilities: NDArray[np.floating], truth: Ids) -> Curve:
    """Return the risk-coverage curve, one point a row (Geifman and El-Yaniv, NeurIPS 2017)."""
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != truth
    order = np.argsort(-confidence, kind="stable")
    published = np.arange(1, len(order) + 1)
    return Curve(published / len(order), np.cumsum(wrong[order]) / published)


def choose_thresholds(probabilities: NDArray[np.floating], truth: Ids, precision: float) -> Floats:
    """Return the lowest threshold by category that reaches a precision on held-out rows.

    A category that is predicted too rarely to be judged by itself gets the threshold that all
    categories together need. Of one that is never predicted nothing is known but what the model says of
    its own sureness: that has to be the precision, too. Where the rows suffice, but not to tell so high
    a precision from a lower one, what they can tell is asked for: no error in n rows only says that less
    than 3/n are wrong (the rule of three; Hanley and Lippman-Hand, JAMA 1983). A category that cannot
    reach the precision at any threshold is held to 0.95, then 0.9; only below that is it never published.

    Args:
        probabilities: calibrated, of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        precision: wanted among what is published, 0 to 1.

    Returns:
        float64 [categories], by category id, between :data:`LEAST_THRESHOLD` and :data:`NEVER`.
    """
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = best == truth
    shared = lowest_threshold(confidence, right, precision)
    thresholds = np.full(category_count(), shared)
    for category in range(category_count()):
        rows = best == category
        count = int(rows.sum())
        if not count:
            thresholds[category] = max(shared, precision)
        if count >= _ENOUGH:
            wanted = min(precision, 1 - _RULE_OF_THREE / count)
            reached = (
                lowest_threshold(confidence[rows], right[rows], asked)
                for asked in (wanted, *(c for c in _CONCESSIONS if c < wanted))
            )
            thresholds[category] = next((t for t in reached if t < NEVER), NEVER)
    return thresholds


def lowest_threshold(confidence: Floats, right: NDArray[np.bool_], precision: float) -> float:
    """Return the lowest confidence from which on enough is right, :data:`NEVER` if none is.

    >>> lowest_threshold(np.linspace(0.6, 1.0, 50), np.arange(50) > 9, 0.95) > 0.65
    True
    """
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(~right[order]) + _INVENTED_ERRORS
    precise = 1 - errors / np.arange(1, len(order) + 1) >= precision
    sorted_confidence = confidence[order]
    # A threshold cannot part equals: only the last of them counts.
    last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)[: len(order)]
    reached = np.flatnonzero(precise & last)
    if not len(reached):
        return NEVER
    return max(float(sorted_confidence[reached[-1]]), LEAST_THRESHOLD)


def published(
    probabilities: NDArray[np.floating], truth: Ids, thresholds: Floats
) -> tuple[float | None, float]:
    """Return precision among what is published (None: nothing is), and the share that is (coverage)."""
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1) >= thresholds[best]
    precision = float((best == truth)[sure].mean()) if sure.any() else None
    return precision, float(sure.mean())


def confidence_histogram(probabilities: NDArray[np.floating]) -> list[float]:
    """Return the shares of rows in 20 equal bins of confidence between 0 and 1."""
    counts, _ = np.histogram(probabilities.max(axis=1), bins=_HISTOGRAM_BINS, range=(0, 1))
    return [float(count) / len(probabilities) for count in counts]
