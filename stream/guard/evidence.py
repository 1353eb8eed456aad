"""Evidence from audits that a promise is broken, valid however often one looks.

A bet against the promise. Somebody starts with one coin and stakes on each audit's being wrong, at odds
that are fair if just the promised share is right. While the promise is kept, the stake shrinks on
average, so that it ever reaches a height ``h`` has a probability of one over ``h`` (Ville 1939), after
however many looks and whenever one stops: a test martingale (Shafer, JRSS A 184, 2021; Waudby-Smith and
Ramdas, JRSS B 86, 2024). A usual interval or exact test, looked at every day, breaks any promise at last.

How wrong a category is and since when, nobody knows. So the coin is parted in advance: over shares of
wrong ones (a mixture, Robbins, Annals of Mathematical Statistics 41, 1970), and over beginnings, a later
one less (as the weighted e-detectors of Shin, Ramdas and Rinaldo, 2022): a category that was good for
months is found broken almost as soon as a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

CHANCE: Final = 0.05
"""Of ever taking a kept promise for broken, over all categories and the whole life of a model."""
# How many times the promised share of wrong ones there may be.
_TIMES: Final = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 19.0)
_MOST_WRONG: Final = 0.98
# A bet begins with every so many audits.
_STEP: Final = 10


def evidence(right: Sequence[bool], promised: float) -> float:
    """Return what one coin has become, bet against a promise: above 1 speaks against it.

    >>> evidence([True] * 100, 0.95) < 1
    True
    >>> evidence([True, True, True, False] * 25, 0.95) > 1000
    True

    Args:
        right: whether audits were, in the order in which people decided them.
        promised: precision, above 0; where it is 1, one wrong audit says all.
    """
    if promised >= 1:
        return 1.0 if all(right) else float("inf")
    if not right:
        return 1.0
    kept_wrong = 1 - promised
    wrong = np.unique(np.minimum(np.array(_TIMES) * kept_wrong, _MOST_WRONG))
    wrong = wrong[wrong > kept_wrong]
    if not wrong.size:
        return 1.0
    answers = np.asarray(right, dtype=bool)
    starts = np.arange(0, len(answers), _STEP)
    of_right = _since(answers, starts)
    of_wrong = _since(~answers, starts)
    gains = np.outer(of_wrong, np.log(wrong / kept_wrong))
    gains += np.outer(of_right, np.log((1 - wrong) / promised))
    number = starts // _STEP
    # 1/(1*2) + 1/(2*3) + ... = 1: the beginnings that have not come yet keep their part of the coin.
    weights = -np.log((number + 1.0) * (number + 2.0))
    logs = gains + weights[:, None] - np.log(wrong.size)
    unspent = 1.0 / (number[-1] + 2.0)
    return float(np.exp(np.minimum(np.logaddexp.reduce(logs.ravel()), 700.0)) + unspent)


def needed(categories: int) -> float:
    """Return the evidence from which on a category counts as broken.

    Args:
        categories: that are looked at: they share the chance of a mistake (Bonferroni).
    """
    return max(categories, 1) / CHANCE


def _since(hits: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return how many hits there are from each start on."""
    before = np.concatenate([[0], np.cumsum(hits)])
    return np.asarray(before[-1] - before[starts], dtype=np.float64)
