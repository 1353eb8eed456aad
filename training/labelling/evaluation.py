"""How good labels are, against labels that are known: per category, with intervals, and agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import Category, all_categories, category_count
from stream.intervals import wilson

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """One category: precision, recall, F1, and the precision's and recall's 95% intervals."""

    category: Category
    support: int
    given: int
    precision: float
    recall: float
    f1: float
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]


def confusion_matrix(truth: Ids, given: Ids) -> NDArray[np.int64]:
    """Return counts int64 [9 true, 9 given]; a negative ``given`` (abstained) is left out."""
    matrix = np.zeros((category_count(), category_count()), dtype=np.int64)
    spoke = given >= 0
    np.add.at(matrix, (truth[spoke], given[spoke]), 1)
    return matrix


def accuracy(truth: Ids, given: Ids) -> float:
    """Return the share that is right; an abstention (negative) is not."""
    return float((truth == given).mean())


def weighted_f1(truth: Ids, given: Ids) -> float:
    """Return F1 weighted by the categories' true shares; an abstention counts against recall only.

    >>> round(weighted_f1(np.array([2, 2, 8]), np.array([2, -1, 8])), 3)
    0.778
    """
    matrix = confusion_matrix(truth, given)
    support = np.bincount(truth, minlength=category_count())
    f1 = 2 * np.diag(matrix) / np.maximum(matrix.sum(axis=0) + support, 1)
    return float(f1 @ support / support.sum())


def category_scores(truth: Ids, given: Ids) -> list[CategoryScore]:
    """Return each category's scores; an abstention (negative) counts against recall only."""
    matrix = confusion_matrix(truth, given)
    support = np.bincount(truth, minlength=category_count())
    scores = []
    for category in all_categories():
        i = category.id
        hits, said, wanted = int(matrix[i, i]), int(matrix[:, i].sum()), int(support[i])
        precision = hits / said if said else 0.0
        recall = hits / wanted if wanted else 0.0
        both = precision + recall
        scores.append(
            CategoryScore(
                category,
                wanted,
                said,
                precision,
                recall,
                2 * precision * recall / both if both else 0.0,
                wilson(hits, said),
                wilson(hits, wanted),
            )
        )
    return scores


def cohen_kappa(first: Ids, second: Ids) -> float:
    """Return agreement beyond chance (Cohen 1960); 1 where both always say the same one thing.

    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.5
    """
    matrix = confusion_matrix(first, second).astype(np.float64)
    total = matrix.sum()
    if not total:
        return float("nan")
    observed = np.trace(matrix) / total
    chance = float((matrix.sum(axis=0) @ matrix.sum(axis=1)) / total**2)
    return 1.0 if chance == 1 else float((observed - chance) / (1 - chance))
