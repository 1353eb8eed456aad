"""Rows whose label is likely wrong, by confident learning."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.data.dataset import Dataset
from training.data.folds import folds_of
from training.fit.config import TrainConfig, silent
from training.models.baselines import NgramRegression

_FOLDS: Final = 4


def doubted(dataset: Dataset, seed: int) -> NDArray[np.bool_]:
    """Tell which rows an n-gram regression, trained on the others, would label otherwise, surely.

    Confident learning (Northcutt et al., JAIR 2021), as cleanlab implements it.

    Returns:
        bool [rows].
    """
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - heavy, and rarely wanted

    fold = folds_of(dataset.categories, _FOLDS, seed)
    logits = np.zeros((len(dataset), category_count()))
    for number in range(_FOLDS):
        model = NgramRegression.fit(dataset.take(fold != number), TrainConfig(seed=seed), silent)
        held = np.flatnonzero(fold == number)
        logits[held] = model.logits([dataset.normalized[row] for row in held])
    probabilities = np.exp(logits)
    present = np.unique(dataset.categories)
    labels = np.searchsorted(present, dataset.categories)
    found: Any = find_label_issues(
        labels,
        probabilities[:, present] / probabilities[:, present].sum(axis=1, keepdims=True),
        filter_by="both",
        n_jobs=1,
    )
    return np.asarray(found, dtype=np.bool_)
