"""Which rows an epoch sees: oversampling of rare categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.data.dataset import Dataset


def epoch_rows(
    dataset: Dataset, oversampling: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the row numbers of one epoch, as many as the dataset has rows.

    Args:
        dataset: what to train on.
        oversampling: 0 for each row once; 1 for all present categories alike; between, a category's
            share is raised to the power of one less this.
        rng: decides what is drawn.
    """
    rows = np.arange(len(dataset), dtype=np.int64)
    if not oversampling:
        return rows
    counts = np.bincount(dataset.categories, minlength=category_count()).astype(np.float64)
    wanted = np.where(counts > 0, counts ** (1 - oversampling), 0.0)
    per_row = (wanted / wanted.sum() / np.maximum(counts, 1))[dataset.categories]
    return np.asarray(rng.choice(rows, len(rows), p=per_row / per_row.sum()), dtype=np.int64)
