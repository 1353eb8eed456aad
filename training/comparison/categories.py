"""Precision, recall and F1 of each category, with intervals over the rows of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories
from training.comparison.compare import Run
from training.data.dataset import Dataset
from training.measures.metrics import Floats, Ids, Interval, category_scores

_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """One category's scores: means over the seeds, 95% intervals over the rows."""

    category: str
    support: int
    """Rows of this category."""
    precision: Interval
    recall: Interval
    f1: Interval


def category_lines(
    runs: Sequence[Run], test: str, rows: Dataset, resamples: int = _RESAMPLES
) -> list[CategoryLine]:
    """Return the scores of each category that occurs in a test set.

    Args:
        runs: of one candidate, one a seed.
        test: name of the test set.
        rows: the test set.
        resamples: of the bootstrap.
    """
    truth = rows.categories
    said = [np.asarray(run.logits[test].argmax(axis=1), dtype=np.int64) for run in runs]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(truth), len(truth)) for _ in range(resamples)]
    found = np.array([_means(truth[rows_], [one[rows_] for one in said]) for rows_ in drawn])
    low, high = np.percentile(found, [2.5, 97.5], axis=0)
    value = _means(truth, said)

    def interval(number: int, score: int) -> Interval:
        cell = number, score
        return Interval(float(value[cell]), float(low[cell]), float(high[cell]))

    return [
        CategoryLine(
            category.slug,
            int((truth == category.id).sum()),
            *(interval(category.id, score) for score in range(3)),
        )
        for category in all_categories()
        if (truth == category.id).any()
    ]


def _means(truth: Ids, said: Sequence[NDArray[np.int64]]) -> Floats:
    """Return precision, recall and F1 by category, means over the seeds, float64 [9, 3]."""
    scores = [
        [(s.precision, s.recall, s.f1) for s in category_scores(truth, predicted)]
        for predicted in said
    ]
    return np.asarray(np.mean(scores, axis=0))
