"""Scores of a classifier, with intervals. Pure functions of arrays.

Weighted F1 weighs each category's F1 by its share of the truth. Macro F1 is the plain mean over the
categories that occur in the truth: a category that a sample lacks says nothing about the model there.
A prediction below zero is an abstention: it counts against recall, and not against anybody's precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import Category, all_categories, category_count
from stream.intervals import wilson

Ids = NDArray[np.int64]
"""Category ids, int64 [rows]."""
Floats = NDArray[np.float64]

DEFAULT_RESAMPLES: Final = 2000
_LEAST_CLUSTERS: Final = 10


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


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """One category's scores; zero where a ratio is undefined.

    Attributes:
        category: that they are of.
        precision: share of what is predicted so that is right.
        recall: share of what is so that is predicted so.
        f1: their harmonic mean.
        support: rows of this category.
        given: rows that are predicted to be of it.
        right: rows that both are and are predicted so.
    """

    category: Category
    precision: float
    recall: float
    f1: float
    support: int
    given: int
    right: int

    @property
    def precision_interval(self) -> tuple[float, float]:
        """The precision's 95% interval (Wilson)."""
        return wilson(self.right, self.given)

    @property
    def recall_interval(self) -> tuple[float, float]:
        """The recall's 95% interval (Wilson)."""
        return wilson(self.right, self.support)


def confusion(truth: Ids, predicted: Ids) -> Ids:
    """Return counts, int64 [categories true, categories predicted]; abstentions are in none."""
    spoke = predicted >= 0
    cells = np.bincount(
        truth[spoke] * category_count() + predicted[spoke], minlength=category_count() ** 2
    )
    return np.asarray(cells.reshape(category_count(), category_count()), dtype=np.int64)


def category_scores(truth: Ids, predicted: Ids) -> list[CategoryScore]:
    """Return the scores of every category by id."""
    table, support = confusion(truth, predicted), _support(truth)
    precision, recall, f1 = _scores(table, support)
    return [
        CategoryScore(
            category,
            float(precision[category.id]),
            float(recall[category.id]),
            float(f1[category.id]),
            int(support[category.id]),
            int(table[:, category.id].sum()),
            int(table[category.id, category.id]),
        )
        for category in all_categories()
    ]


def accuracy(truth: Ids, predicted: Ids) -> float:
    """Return the share of rows that are right; an abstention is not."""
    return float((truth == predicted).mean())


def weighted_f1(truth: Ids, predicted: Ids) -> float:
    """Return the mean F1, weighted by each category's share of the truth.

    >>> weighted_f1(np.array([0, 0, 1]), np.array([0, 0, 0]))
    0.5333333333333333
    >>> round(weighted_f1(np.array([2, 2, 8]), np.array([2, -1, 8])), 3)
    0.778
    """
    support = _support(truth)
    return float(_scores(confusion(truth, predicted), support)[2] @ support / support.sum())


def macro_f1(truth: Ids, predicted: Ids) -> float:
    """Return the mean F1 over the categories that occur in the truth."""
    support = _support(truth)
    return float(_scores(confusion(truth, predicted), support)[2][support > 0].mean())


def cohen_kappa(first: Ids, second: Ids) -> float:
    """Return agreement beyond chance (Cohen 1960); 1 where both always say the same one thing.

    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.5
    """
    table = confusion(first, second).astype(np.float64)
    total = table.sum()
    if not total:
        return float("nan")
    observed = np.trace(table) / total
    chance = float((table.sum(axis=0) @ table.sum(axis=1)) / total**2)
    return 1.0 if chance == 1 else float((observed - chance) / (1 - chance))


def bootstrap(
    score: Callable[[Ids, Ids], float],
    truth: Ids,
    predicted: Ids,
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    cluster: NDArray[np.int64] | None = None,
) -> Interval:
    """Return a score, 1 at most, with its interval over resampled rows, or over whole clusters of them.

    Of fewer than ten clusters hardly anything can be drawn: then rows are.

    Where all is right no resample holds an error, however few rows there are: its low end is then that
    of the share of right ones (Wilson).
    """
    rng = np.random.default_rng(seed)
    if cluster is None or cluster.max() + 1 < _LEAST_CLUSTERS:
        cluster = np.arange(len(truth))
    clusters = int(cluster.max()) + 1
    values = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, clusters, clusters), minlength=clusters)
        rows = np.repeat(np.arange(len(truth)), times[cluster])
        values.append(score(truth[rows], predicted[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    if (truth == predicted).all():
        low = wilson(clusters, clusters)[0]
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


def _support(truth: Ids) -> Ids:
    return np.asarray(np.bincount(truth, minlength=category_count()), dtype=np.int64)


def _scores(table: Ids, support: Ids) -> tuple[Floats, Floats, Floats]:
    right = np.diag(table).astype(np.float64)
    precision = right / np.maximum(table.sum(axis=0), 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return precision, recall, f1
