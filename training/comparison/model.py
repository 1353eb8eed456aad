"""A finished model measured on labelled texts: how often it is right, and what it would publish."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from schemas import Category, all_categories
from stream.model.classifier import Classifier
from training.data.dataset import Dataset
from training.measures.calibration import expected_calibration_error
from training.measures.clusters import clusters_of, design_effect, intraclass_correlation
from training.measures.metrics import (
    Interval,
    accuracy,
    bootstrap,
    category_scores,
    macro_f1,
    weighted_f1,
)
from training.measures.promise import lower_bound


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """One category.

    Attributes:
        category: it.
        rows: labelled with it.
        precision: of all rows that the model takes for it, published or not.
        recall: share of its rows that are found.
        published: rows that the model would publish as it.
        right: of those.
        taken_for: what its rows are taken for instead, most frequent first.
    """

    category: Category
    rows: int
    precision: float
    recall: float
    published: int
    right: int
    taken_for: tuple[tuple[Category, int], ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model on labelled texts.

    Attributes:
        rows: how many.
        products: that they name: reviews of one count as fewer, in intervals and in the bound.
        accuracy: share that is right, with its 95% interval over products, or over rows.
        weighted_f1: weighted by the categories' shares, likewise.
        macro_f1: mean over the categories that occur, likewise.
        calibration_error: expected, with equally full bins.
        published: rows that would be published.
        right: of those.
        lower: precision of what is published that holds with 95% confidence.
        categories: those that occur, or are published.
    """

    rows: int
    products: int
    accuracy: Interval
    weighted_f1: Interval
    macro_f1: Interval
    calibration_error: float
    published: int
    right: int
    lower: float
    categories: tuple[CategoryFigures, ...]


def evaluate(model: Classifier, rows: Dataset) -> Evaluation:
    """Measure a model.

    Args:
        model: as a worker would serve it, with its own thresholds.
        rows: labelled texts that it was not trained on; whether that is so is not checked.
    """
    found = model.classify(list(rows.normalized))
    truth = rows.categories
    best = np.asarray(found.probabilities.argmax(axis=1), dtype=np.int64)
    sure = found.sure
    right = best == truth
    lines = [
        CategoryFigures(
            category,
            int((truth == category.id).sum()),
            scores.precision,
            scores.recall,
            int((sure & (best == category.id)).sum()),
            int((sure & right & (best == category.id)).sum()),
            _taken_for(truth, best, category),
        )
        for category, scores in zip(all_categories(), category_scores(truth, best), strict=True)
    ]
    published, kept = int(sure.sum()), int((sure & right).sum())
    cluster = clusters_of(rows.product)
    effect = design_effect(cluster[sure], intraclass_correlation(right, cluster))
    return Evaluation(
        rows=len(truth),
        products=len(set(rows.product) - {""}),
        accuracy=bootstrap(accuracy, truth, best, cluster=cluster),
        weighted_f1=bootstrap(weighted_f1, truth, best, cluster=cluster),
        macro_f1=bootstrap(macro_f1, truth, best, cluster=cluster),
        calibration_error=expected_calibration_error(found.probabilities, truth),
        published=published,
        right=kept,
        lower=lower_bound(kept, published, design_effect=effect),
        categories=tuple(line for line in lines if line.rows or line.published),
    )


def _taken_for(
    truth: np.ndarray, best: np.ndarray, category: Category
) -> tuple[tuple[Category, int], ...]:
    others = Counter(best[(truth == category.id) & (best != category.id)].tolist())
    return tuple((all_categories()[i], n) for i, n in others.most_common(3))
