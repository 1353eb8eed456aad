"""Scores of a classifier, with intervals. Pure functions of arrays.

Weighted F1 weighs each category's F1 by its share of the truth. Macro F1 is the plain mean over the
categories that occur in the truth: a category that a sample lacks says nothing about the model there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count

Ids = NDArray[np.int64]
"""Category ids, int64 [rows]."""
Floats = NDArray[np.float64]

DEFAULT_RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95% bootstrap interval (percentile method)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better one model is than another on the same rows."""

    difference: Interval
    p_better: float
    """Share of the resamples in which the first model is better; a tie counts half."""

    @property
    def significant(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """One category's scores."""

    precision: float
    recall: float
    f1: float
    support: int
    """Rows of this category."""


def confusion(truth: Ids, predicted: Ids) -> Ids:
    """Return counts, int64 [9 true, 9 predicted]."""
    cells = np.bincount(truth * category_count() + predicted, minlength=category_count() ** 2)
    return np.asarray(cells.reshape(category_count(), category_count()), dtype=np.int64)


def category_scores(truth: Ids, predicted: Ids) -> list[CategoryScore]:
    """Return the scores of every category by id; zero where a ratio is undefined."""
    table = confusion(truth, predicted)
    precision, recall, f1 = _scores(table)
    return [
        CategoryScore(float(precision[i]), float(recall[i]), float(f1[i]), int(table[i].sum()))
        for i in range(category_count())
    ]


def accuracy(truth: Ids, predicted: Ids) -> float:
    """Return the share of rows that are right."""
    return float((truth == predicted).mean())


def weighted_f1(truth: Ids, predicted: Ids) -> float:
    """Return the mean F1, weighted by each category's share of the truth.

    >>> weighted_f1(np.array([0, 0, 1]), np.array([0, 0, 0]))
    0.5333333333333333
    """
    table = confusion(truth, predicted)
    support = table.sum(axis=1)
    return float(_scores(table)[2] @ support / support.sum())


def macro_f1(truth: Ids, predicted: Ids) -> float:
    """Return the mean F1 over the categories that occur in the truth."""
    table = confusion(truth, predicted)
    return float(_scores(table)[2][table.sum(axis=1) > 0].mean())


def bootstrap(
    score: Callable[[Ids, Ids], float],
    truth: Ids,
    predicted: Ids,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a score with its interval over resampled rows."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        rows = rng.integers(0, len(truth), len(truth))
        values.append(score(truth[rows], predicted[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(score(truth, predicted), float(low), float(high))


def paired_bootstrap(
    score: Callable[[Ids, Ids], float],
    truth: Ids,
    first: Ids,
    second: Ids,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models on the same resampled rows.

    (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; Koehn, EMNLP 2004.)

    Args:
        score: of truth and predictions.
        truth: category ids, int64 [rows].
        first: predictions of the model that may be better.
        second: predictions of the other.
        resamples: how many.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for i in range(resamples):
        rows = rng.integers(0, len(truth), len(truth))
        differences[i] = score(truth[rows], first[rows]) - score(truth[rows], second[rows])
    low, high = np.percentile(differences, [2.5, 97.5])
    observed = score(truth, first) - score(truth, second)
    better = float((differences > 0).mean() + 0.5 * (differences == 0).mean())
    return PairedDifference(Interval(observed, float(low), float(high)), better)


def _scores(table: Ids) -> tuple[Floats, Floats, Floats]:
    right = np.diag(table).astype(np.float64)
    precision = right / np.maximum(table.sum(axis=0), 1)
    recall = right / np.maximum(table.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return precision, recall, f1
