"""Rows whose label is likely wrong, by confident learning."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas import Category
from training.data.dataset import CATEGORY_COUNT, Dataset

_FOLDS: Final = 4
_NO_PRODUCT: Final = Category.NO_PRODUCT.id


def folds_of(categories: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each row a fold, int64 [rows]; categories are spread evenly over the folds."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(categories), dtype=np.int64)
    for category in np.unique(categories):
        rows = rng.permutation(np.flatnonzero(categories == category))
        fold[rows] = (np.arange(len(rows)) + rng.integers(folds)) % folds
    return fold


def folds_by_product(rows: Dataset, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each row a fold, int64 [rows], so that all reviews of one product share theirs.

    What a model says of a fold is then said of goods that it never saw. Products go, the largest first,
    where their category has the fewest rows so far. A row of no known product stands for itself.

    Args:
        rows: with their products.
        folds: how many.
        seed: of the choice.
    """
    fold = folds_of(rows.categories, folds, seed)
    product = np.array(rows.product)
    names, counts = np.unique(product[product != ""], return_counts=True)
    # Shuffled before they are sorted, so that equals come in an order of the seed's.
    order = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros((folds, CATEGORY_COUNT), dtype=np.int64)
    for name in names[order][np.argsort(-counts[order], kind="stable")]:
        held = product == name
        here = np.bincount(rows.categories[held], minlength=CATEGORY_COUNT)
        main = here[:_NO_PRODUCT].argmax() if here[:_NO_PRODUCT].any() else _NO_PRODUCT
        lightest = np.lexsort((filled.sum(axis=1), filled[:, main]))[0]
        filled[lightest] += here
        fold[held] = lightest
    return fold


def doubted(dataset: Dataset, seed: int) -> NDArray[np.bool_]:
    """Tell which rows an n-gram regression, trained on the others, would label otherwise, surely.

    Confident learning (Northcutt et al., JAIR 2021), as cleanlab implements it.

    Returns:
        bool [rows].
    """
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - heavy, and rarely wanted

    from training.fit.config import TrainConfig, silent  # noqa: PLC0415 - no cycle at import
    from training.models.baselines import NgramRegression  # noqa: PLC0415 - likewise

    fold = folds_of(dataset.categories, _FOLDS, seed)
    logits = np.zeros((len(dataset), CATEGORY_COUNT))
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
