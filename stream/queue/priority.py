"""Which review a person should see first.

The order is margin sampling (Settles, Active Learning Literature Survey, 2009, section 3.1) within
a category, with categories taking turns by the square root of their backlog, one in ten at random,
and near-identical texts folded to one. The turns are taken in ``scripts/next.lua``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import Category


def informativeness(probabilities: Mapping[Any, float]) -> float:
    """Return how much a label would tell the model, 0 to 1: one minus the margin.

    The margin is the distance between the two best categories: where it is small, the model
    stands between two answers, and a person's word moves the boundary most.

    >>> informativeness({"a": 0.5, "b": 0.4, "c": 0.1})
    0.9
    """
    best, second, *_ = (*sorted(probabilities.values(), reverse=True), 0.0, 0.0)
    return round(1.0 - (best - second), 6)


def best_category(probabilities: Mapping[Category, float]) -> Category | None:
    """Return the model's best guess; None if it said nothing."""
    return max(probabilities, key=lambda c: probabilities[c], default=None)
