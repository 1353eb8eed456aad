"""What a published precision is promised to be, with 95% confidence, and thresholds that keep a promise.

A threshold that reaches 95% on held-out rows may fall below it on the next ones: of few rows the figure
is luck, and the best of many thresholds is flattered. Two things are offered. The **lower bound** of
what was chosen, one-sided, after Clopper and Pearson (Biometrika 26, 1934). And thresholds that are
**guaranteed**: each is a hypothesis "more than allowed is wrong", and only those that are rejected by a
binomial tail are used, from the strictest to the loosest until one stands (fixed-sequence testing;
Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test", 2021), beginning at several places, among
which the error is shared out. Compared with one beginning and with the best bound without correction:
``deploy/docs/measurements/promises.md``.

Rows of one product resemble each other, so that they say less than as many independent ones: where
products are known, rows are divided by their design effect (:mod:`training.measures.clusters`), as Korn and
Graubard do (Survey Methodology 24, 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from schemas import category_count
from training.measures.calibration import LEAST_THRESHOLD, NEVER, Floats
from training.measures.clusters import design_effect, design_effects, intraclass_correlation
from training.measures.metrics import Ids

CONFIDENCE: Final = 0.95
# One beginning may fail by the bad luck of its few rows; more of them share the error.
_BEGINNINGS: Final = 8


@dataclass(frozen=True, slots=True)
class Promise:
    """What is known of one category's published precision.

    Attributes:
        rows: held-out rows whose best category it is.
        published: of them, those at or above the threshold.
        right: of those, how many are right.
        lower: precision that holds with 95% confidence; 0 where nothing is published.
        needed: rows that it needs to be promised the wanted precision, if it goes on being as right as
            it is; None where it would not reach it.
    """

    rows: int
    published: int
    right: int
    lower: float
    needed: int | None


def lower_bound(
    right: int, rows: int, confidence: float = CONFIDENCE, design_effect: float = 1.0
) -> float:
    """Return the precision that holds with so much confidence, one-sided (Clopper and Pearson).

    >>> round(lower_bound(59, 59), 3)
    0.95
    >>> round(lower_bound(118, 118, design_effect=2.0), 3)
    0.95
    """
    if not right:
        return 0.0
    return float(_bound(1 - confidence, np.array(right), np.array(rows), np.array(design_effect)))


def _bound(
    error: float, right: NDArray[Any], rows: NDArray[Any], design_effect: NDArray[Any]
) -> Floats:
    """Return the bound for each of several samples, float64."""
    found: Floats = beta.ppf(error, right / design_effect, (rows - right) / design_effect + 1)
    return found


def promises(
    probabilities: NDArray[np.floating],
    truth: Ids,
    thresholds: Floats,
    wanted: float,
    cluster: NDArray[np.int64] | None = None,
) -> list[Promise]:
    """Return what thresholds promise, by category id.

    Args:
        probabilities: calibrated, of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        thresholds: by category id.
        wanted: precision, for the number of rows that are needed.
        cluster: number of each row's product, int64 [rows]; None: each row stands for itself.
    """
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    cluster, correlation = _alike(best == truth, cluster)
    found = []
    for category in range(category_count()):
        rows = best == category
        sure = rows & (confidence >= thresholds[category])
        right, count = int((truth[sure] == category).sum()), int(sure.sum())
        effect = design_effect(cluster[sure], correlation)
        needed = _needed(right, count, int(rows.sum()), wanted, effect)
        lower = lower_bound(right, count, design_effect=effect)
        found.append(Promise(int(rows.sum()), count, right, lower, needed))
    return found


def _alike(
    right: NDArray[np.bool_], cluster: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], float]:
    """Return the clusters, and how alike their rows are: of all rows, since published errors are few."""
    if cluster is None:
        return np.arange(len(right)), 0.0
    return cluster, intraclass_correlation(right, cluster)


def guaranteed_thresholds(
    probabilities: NDArray[np.floating],
    truth: Ids,
    precision: float,
    confidence: float = CONFIDENCE,
    cluster: NDArray[np.int64] | None = None,
) -> Floats:
    """Return thresholds at which each category's precision is at least what was asked.

    It holds with the given confidence, over draws of the held-out rows, for each category by itself
    where its rows suffice; the others get one threshold at which it holds for all of them together. What
    has no such threshold is never published: it is asked about.

    Args:
        probabilities: calibrated, of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        precision: asked for, 0 to 1.
        confidence: that it is kept.
        cluster: number of each row's product, int64 [rows]; None: each row stands for itself.

    Returns:
        float64 [categories], between the least threshold and one that nothing reaches.
    """
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1).astype(np.float64)
    right = best == truth
    cluster, correlation = _alike(right, cluster)

    def threshold(rows: NDArray[np.bool_]) -> float:
        order = np.flatnonzero(rows)[np.argsort(-sure[rows], kind="stable")]
        effects = design_effects(cluster[order], correlation)
        return guaranteed_threshold(sure[order], right[order], precision, confidence, effects)

    thresholds = np.array([threshold(best == category) for category in range(category_count())])
    others = thresholds >= NEVER
    thresholds[others] = threshold(others[best])
    # Of these nothing is known but what the model says of its own sureness.
    unknown = np.bincount(best, minlength=category_count()) == 0
    thresholds[unknown] = np.maximum(thresholds[unknown], precision)
    return thresholds


def guaranteed_threshold(
    confidence: Floats,
    right: NDArray[np.bool_],
    precision: float,
    level: float = CONFIDENCE,
    design_effect: Floats | float = 1.0,
) -> float:
    """Return the lowest threshold that keeps a precision with confidence ``level``; else NEVER.

    Args:
        confidence: of each row; the highest first, where design effects are given.
        right: of each row.
        precision: asked for, 0 to 1.
        level: that it is kept.
        design_effect: of the first one, two, three ... rows, float64 [rows].

    >>> guaranteed_threshold(np.linspace(0.9, 1.0, 40), np.ones(40, bool), 0.95) > 1
    True
    """
    error = (1 - level) / _BEGINNINGS
    count = len(confidence)
    least = int(np.ceil(np.log(error) / np.log(precision)))
    if count < least:
        return NEVER
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    correct = np.cumsum(right[order])
    rows = np.arange(1, count + 1)
    kept = _bound(error, correct, rows, np.asarray(design_effect)) >= precision
    # A threshold cannot part equals: only the last of them can be one.
    places = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    kept = kept[places]
    best = -1
    for begin in np.geomspace(least, count, _BEGINNINGS + 1)[:-1].astype(int):
        place = int(np.searchsorted(places, begin - 1))
        # As long as one after the other is rejected; the first that stands ends the sequence.
        while place < len(places) and kept[place]:
            best = max(best, place)
            place += 1
    return NEVER if best < 0 else max(float(ranked[places[best]]), LEAST_THRESHOLD)


def _needed(
    right: int, published: int, rows: int, wanted: float, design_effect: float
) -> int | None:
    """Return how many rows of the category a bound of ``wanted`` takes, at today's precision."""
    if not published or right / published <= wanted:
        return None
    share = right / published

    def suffices(labels: int) -> bool:
        return lower_bound(round(share * labels), labels, design_effect=design_effect) >= wanted

    few, many = published, 2 * published
    while not suffices(many):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if suffices(middle) else (middle, many)
    enough = few if suffices(few) else many
    return max(rows, round(enough * rows / published))
