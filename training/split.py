"""Which rows a training holds out, and in which parts: decided once, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset, check_measurable, trusted
from training.data.folds import folds_by_product, folds_of
from training.encoders.known import known
from training.errors import DataError
from training.fit.config import TrainConfig

# Rows that the base never saw must be at least so many to measure on them alone: with fewer, nine
# categories have no thresholds that mean anything.
_LEAST_NEW: Final = 100


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """The rows of a dataset that a model's figures are measured on.

    Attributes:
        places: of them in the dataset, int64 [measured].
        known: how many of them the base has learned with their labels: they flatter.
    """

    places: NDArray[np.int64]
    known: int


@dataclass(frozen=True, slots=True)
class HeldOutPart:
    """Rows that are held out together.

    Attributes:
        held: which of the measured rows, int64 [held].
        training: which rows of the dataset are trained on meanwhile, bool [rows].
    """

    held: NDArray[np.int64]
    training: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """How a dataset is held out part by part.

    Attributes:
        measured: the rows that are held out, each once.
        parts: of them.
        products: how many products are held out as wholes; 0 where rows are held out at random.
    """

    measured: MeasuredRows
    parts: tuple[HeldOutPart, ...]
    products: int


def measured_rows(dataset: Dataset, config: TrainConfig) -> MeasuredRows:
    """Choose the rows that figures are measured on.

    They are those whose labels can be trusted and that the base has not learned before; all that can be
    trusted, where too few of them are new to the base.

    Args:
        dataset: all rows.
        config: names the base.

    Raises:
        DataError: no label can be trusted.
    """
    check_measurable(dataset)
    good, seen = trusted(dataset), known(dataset, str(config.encoder))
    new = good & ~seen
    chosen = new if new.sum() >= _LEAST_NEW else good
    return MeasuredRows(np.flatnonzero(chosen), int((chosen & seen).sum()))


def split_of(dataset: Dataset, config: TrainConfig, measured: MeasuredRows | None = None) -> Split:
    """Decide what is held out, and what is trained on meanwhile.

    Where rows name their product, a part holds whole products, unless the configuration wants rows at
    random: reviews of goods that were trained on are easier, and a shop's next goods are others. Rows
    are taken at random as well where a part of products would leave fewer than two categories to learn:
    of one product, or of one a category, nothing can be said about unseen goods.

    Args:
        dataset: all rows.
        config: how many parts, of what, and the seed.
        measured: the rows to hold out, where they have been chosen already.

    Raises:
        DataError: no label can be trusted, or rows are too few, or too much alike, to hold out any.
    """
    measured = measured or measured_rows(dataset, config)
    rows = dataset.take(measured.places)
    folds = min(config.folds, len(rows))
    products = len(set(rows.product) - {""}) if config.held_out == "products" else 0
    if products:
        fold = folds_by_product(rows, folds, config.seed)
        parts = _parts(dataset, measured.places, fold, whole_products=True)
        if all(_learnable(dataset, part) for part in parts):
            return Split(measured, parts, products)
    fold = folds_of(rows.categories, folds, config.seed)
    parts = _parts(dataset, measured.places, fold, whole_products=False)
    if not all(_learnable(dataset, part) for part in parts):
        raise DataError(
            f"{len(rows)} labels are too few, or too much alike, to hold some out: those left would be "
            "of one category",
            "label more reviews, several of each category, or train with --validation FILE",
        )
    return Split(measured, parts, 0)


def _parts(
    dataset: Dataset,
    measured: NDArray[np.int64],
    fold: NDArray[np.int64],
    *,
    whole_products: bool,
) -> tuple[HeldOutPart, ...]:
    parts = []
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        # A text that occurs twice must not be on both sides.
        texts = {dataset.normalized[row] for row in measured[held]}
        names = {dataset.product[row] for row in measured[held]} if whole_products else set()
        names.discard("")
        pairs = zip(dataset.normalized, dataset.product, strict=True)
        training = [text not in texts and product not in names for text, product in pairs]
        parts.append(HeldOutPart(held, np.array(training, dtype=np.bool_)))
    return tuple(parts)


def _learnable(dataset: Dataset, part: HeldOutPart) -> bool:
    return len(np.unique(dataset.categories[part.training])) > 1
