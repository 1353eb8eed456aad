"""What a published precision is promised to be, with 95% confidence, and thresholds that keep a promise.

A threshold that reaches 95% on held-out rows may fall below it on the next ones: of few rows the figure
is luck, and the best of many thresholds is flattered. Two things are offered. The **lower bound** of
what was chosen, one-sided, after Clopper and Pearson (Biometrika 26, 1934). And thresholds that are
**guaranteed**: each is a hypothesis "more than allowed is wrong", and only those that are rejected by a
binomial tail are used, from the strictest to the loosest until one stands (fixed-sequence testing;
Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test", 2021), beginning at several places, among
which the error is shared out. Compared with one beginning and with the best bound without correction:
``deploy/docs/measurements/promises.md``.

Rows of one product resemble each other, so that they say less than as many independent ones: hold
products out as wholes, and take the bound for a little too good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from schemas import category_count
from training.measures.calibration import LEAST_THRESHOLD, NEVER, Floats
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


def lower_bound(right: int, rows: int, confidence: float = CONFIDENCE) -> float:
    """Return the precision that holds with so much confidence, one-sided (Clopper and Pearson).

    >>> round(lower_bound(59, 59), 3)
    0.95
    """
    return float(beta.ppf(1 - confidence, right, rows - right + 1)) if right else 0.0


def promises(
    probabilities: NDArray[np.floating], truth: Ids, thresholds: Floats, wanted: float
) -> list[Promise]:
    """Return what thresholds promise, by category id.

    Args:
        probabilities: calibrated, of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        thresholds: by category id.
        wanted: precision, for the number of rows that are needed.
    """
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    found = []
    for category in range(category_count()):
        rows = best == category
        sure = rows & (confidence >= thresholds[category])
        right, count = int((truth[sure] == category).sum()), int(sure.sum())
        needed = _needed(right, count, int(rows.sum()), wanted)
        found.append(Promise(int(rows.sum()), count, right, lower_bound(right, count), needed))
    return found


def guaranteed_thresholds(
    probabilities: NDArray[np.floating],
    truth: Ids,
    precision: float,
    confidence: float = CONFIDENCE,
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

    Returns:
        float64 [categories], between the least threshold and one that nothing reaches.
    """
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1).astype(np.float64)
    right = best == truth
    thresholds = np.array(
        [
            guaranteed_threshold(
                sure[best == category], right[best == category], precision, confidence
            )
            for category in range(category_count())
        ]
    )
    others = thresholds >= NEVER
    rest = others[best]
    thresholds[others] = guaranteed_threshold(sure[rest], right[rest], precision, confidence)
    # Of these nothing is known but what the model says of its own sureness.
    unknown = np.bincount(best, minlength=category_count()) == 0
    thresholds[unknown] = np.maximum(thresholds[unknown], precision)
    return thresholds


def guaranteed_threshold(
    confidence: Floats, right: NDArray[np.bool_], precision: float, level: float = CONFIDENCE
) -> float:
    """Return the lowest threshold that keeps a precision with confidence ``level``; else NEVER.

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
    kept = beta.ppf(error, correct, rows - correct + 1) >= precision
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


def _needed(right: int, published: int, rows: int, wanted: float) -> int | None:
    """Return how many rows of the category a bound of ``wanted`` takes, at today's precision."""
    if not published or right / published <= wanted:
        return None
    share = right / published
    few, many = published, 2 * published
    while lower_bound(round(share * many), many) < wanted:
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        reached = lower_bound(round(share * middle), middle) >= wanted
        few, many = (few, middle) if reached else (middle, many)
    enough = few if lower_bound(round(share * few), few) >= wanted else many
    return max(rows, round(enough * rows / published))
