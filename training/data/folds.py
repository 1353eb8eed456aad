"""Folds: rows in parts, each of which is held out once from what a model is trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas import active_taxonomy, category_count
from training.data.dataset import Dataset


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
    names = sorted(set(rows.product) - {""})
    if not names:
        return fold
    # Numbers for names: an array of names would be as wide as the longest of them in every row.
    number = {name: i for i, name in enumerate(names)}
    product = np.array([number.get(name, -1) for name in rows.product])
    named = product >= 0
    counts = np.zeros((len(names), category_count()), dtype=np.int64)
    np.add.at(counts, (product[named], rows.categories[named]), 1)
    # Shuffled before they are sorted, so that equals come in an order of the seed's.
    order = np.random.default_rng(seed).permutation(len(names))
    largest_first = order[np.argsort(-counts.sum(axis=1)[order], kind="stable")]
    kinds = np.ones(category_count(), dtype=np.int64)
    if (none := active_taxonomy().none_id) is not None:
        kinds[none] = 0
    filled = np.zeros((folds, category_count()), dtype=np.int64)
    chosen = np.zeros(len(names), dtype=np.int64)
    for one in largest_first:
        here = counts[one]
        # What kind of goods it is decides; "none of these" only where nothing else is said of it.
        main = (here * kinds if (here * kinds).any() else here).argmax()
        chosen[one] = np.lexsort((filled.sum(axis=1), filled[:, main]))[0]
        filled[chosen[one]] += here
    fold[named] = chosen[product[named]]
    return fold


def folds_for_measuring(rows: Dataset, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each row a fold, int64 [rows]: of whole products where that gives every fold rows enough.

    Else, as where one product is most of the rows, they are taken at random.

    Args:
        rows: with their products, as far as they are known.
        folds: how many.
        seed: of the choice.
    """
    fold = folds_by_product(rows, folds, seed)
    # Half of what it would have if all were as large.
    if np.bincount(fold, minlength=folds).min() >= len(rows) // (2 * folds):
        return fold
    return folds_of(rows.categories, folds, seed)
