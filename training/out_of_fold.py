"""What a family says of labelled rows that it was not trained on: the ground calibration stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.data.dataset import Dataset, check_measurable, trusted
from training.data.folds import folds_by_product, folds_of
from training.distillation import fit_family
from training.encoders.known import known
from training.errors import DataError
from training.fit.config import Progress, TrainConfig
from training.measures.held_out import HeldOut

# Rows that the base never saw must be at least so many to measure on them alone: with fewer, nine
# categories have no thresholds that mean anything.
_LEAST_NEW: Final = 100


def measured_rows(dataset: Dataset, config: TrainConfig) -> NDArray[np.bool_]:
    """Tell which rows predictions out of fold are made for, bool [rows].

    They are those whose labels can be trusted and that the base has not learned before; all that can be
    trusted, where too few of them are new to the base.

    Args:
        dataset: all rows.
        config: names the base.

    Raises:
        DataError: no label can be trusted.
    """
    check_measurable(dataset)
    good = trusted(dataset)
    new = good & ~known(dataset, str(config.encoder))
    return new if new.sum() >= _LEAST_NEW else good


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
class Parts:
    """How a dataset is held out part by part.

    Attributes:
        measured: the rows that are held out once, int64 [measured].
        parts: of them.
        products: how many products are held out as wholes; 0 where rows are held out at random.
    """

    measured: NDArray[np.int64]
    parts: tuple[HeldOutPart, ...]
    products: int


def parts_of(dataset: Dataset, config: TrainConfig) -> Parts:
    """Tell what is held out, and what is trained on meanwhile.

    Where rows name their product, a part holds whole products, unless the configuration wants rows at
    random: reviews of goods that were trained on are easier, and a shop's next goods are others. Rows
    are taken at random as well where a part of products would leave fewer than two categories to learn:
    of one product, or of one a category, nothing can be said about unseen goods.

    Args:
        dataset: all rows.
        config: how many parts, of what, and the seed.

    Raises:
        DataError: no label can be trusted, or rows are too few, or too much alike, to hold out any.
    """
    measured = np.flatnonzero(measured_rows(dataset, config))
    rows = dataset.take(measured)
    folds = min(config.folds, len(rows))
    products = len(set(rows.product) - {""}) if config.held_out == "products" else 0
    if products:
        fold = folds_by_product(rows, folds, config.seed)
        parts = _parts(dataset, measured, fold, whole_products=True)
        if all(_learnable(dataset, part) for part in parts):
            return Parts(measured, parts, products)
    fold = folds_of(rows.categories, folds, config.seed)
    parts = _parts(dataset, measured, fold, whole_products=False)
    if not all(_learnable(dataset, part) for part in parts):
        raise DataError(
            f"{len(rows)} labels are too few, or too much alike, to hold some out: those left would be "
            "of one category",
            "label more reviews, several of each category, or train with --validation FILE",
        )
    return Parts(measured, parts, 0)


def out_of_fold(name: str, dataset: Dataset, config: TrainConfig, progress: Progress) -> HeldOut:
    """Train once a part on all other rows, and predict the part; see :func:`parts_of`.

    Rows that are not measured on are in every training set, but for those of a product that is held
    out. Finished parts are kept in the configuration's checkpoint folder.

    Args:
        name: of the family.
        dataset: all rows.
        config: how each is trained.
        progress: is told how far it is.

    Raises:
        DataError: no label can be trusted, or there is nothing to learn from a part.
    """
    found = parts_of(dataset, config)
    rows = dataset.take(found.measured)
    logits = np.zeros((len(rows), category_count()), dtype=np.float32)
    for number, part in enumerate(found.parts, start=1):
        texts = [rows.normalized[row] for row in part.held]
        own = config.model_copy(update={"checkpoints": _folder(config, number)})

        def told(stage: str, done: int, total: int, number: int = number) -> None:
            progress(f"fold {number} of {len(found.parts)}: {stage}", done, total)

        model = fit_family(name, dataset.take(part.training), own.measured_on(texts), told)
        logits[part.held] = model.logits(texts)
    return HeldOut(rows, logits, int(known(rows, str(config.encoder)).sum()), found.products)


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


def _folder(config: TrainConfig, number: int) -> Path | None:
    return None if config.checkpoints is None else config.checkpoints / f"fold-{number}"
