"""What a family says of labelled rows that it was not trained on: the ground calibration stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import CATEGORY_COUNT, Dataset, check_measurable, trusted
from training.data.folds import folds_by_product, folds_of
from training.export.known import known
from training.fit.config import Progress, TrainConfig
from training.models.family import family

# Rows that the base never saw must be at least so many to measure on them alone: with fewer, nine
# categories have no thresholds that mean anything.
_LEAST_NEW: Final = 100


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Labelled rows and what a model that did not see them says.

    Attributes:
        rows: the labelled rows.
        logits: float32 [rows, 9].
        known: how many of the rows the base had learned with their labels: they flatter.
    """

    rows: Dataset
    logits: NDArray[np.float32]
    known: int = 0

    @property
    def truth(self) -> NDArray[np.int64]:
        """Category ids, int64 [rows]."""
        return self.rows.categories

    @property
    def of_the_stream(self) -> NDArray[np.bool_]:
        """Which rows are a sample of the stream: written examples are not, bool [rows]."""
        real = np.array([origin.of_the_stream for origin in self.rows.origin], dtype=np.bool_)
        return real if real.any() else np.ones(len(self.rows), dtype=np.bool_)


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
    new = good & ~known(dataset, config)
    return new if new.sum() >= _LEAST_NEW else good


def out_of_fold(name: str, dataset: Dataset, config: TrainConfig, progress: Progress) -> HeldOut:
    """Train once a fold on all other rows, and predict the fold's rows; see :func:`measured_rows`.

    Where rows name their product, a fold holds whole products, unless the configuration wants rows at
    random: reviews of goods that were trained on are easier, and a shop's next goods are others.

    Rows that are not measured on are in every training set, but for those of a product in the fold. Finished folds are kept in the
    configuration's checkpoint folder until :func:`forget` is called.

    Args:
        name: of the family.
        dataset: all rows.
        config: how each is trained.
        progress: is told how far it is.

    Raises:
        DataError: no label can be trusted, or there is nothing to learn from a fold.
    """
    measured = np.flatnonzero(measured_rows(dataset, config))
    rows = dataset.take(measured)
    folds = min(config.folds, len(rows))
    if config.held_out == "products":
        fold = folds_by_product(rows, folds, config.seed)
    else:
        fold = folds_of(rows.categories, folds, config.seed)
    logits = np.zeros((len(rows), CATEGORY_COUNT), dtype=np.float32)
    for number in range(folds):
        held = np.flatnonzero(fold == number)
        if not len(held):
            continue
        training = np.ones(len(dataset), dtype=np.bool_)
        training[measured[held]] = False
        if config.held_out == "products":
            training &= ~_of_the_products(dataset, rows.take(held))
        # A text that occurs twice must not be on both sides.
        rest = dataset.take(training).without_texts_of(rows.take(held))
        if not len(rest):
            continue
        held_texts = [rows.normalized[row] for row in held]
        part = config.model_copy(update={"checkpoints": _folder(config, number)})

        def told(stage: str, done: int, total: int, number: int = number) -> None:
            progress(f"fold {number + 1} of {folds}: {stage}", done, total)

        model = family(name).fit(rest, part.measured_on(held_texts), told)
        logits[held] = model.logits(held_texts)
    return HeldOut(rows, logits, int(known(rows, config).sum()))


def _of_the_products(dataset: Dataset, held: Dataset) -> NDArray[np.bool_]:
    names = set(held.product) - {""}
    return np.array([name in names for name in dataset.product], dtype=np.bool_)


def _folder(config: TrainConfig, number: int) -> Path | None:
    return None if config.checkpoints is None else config.checkpoints / f"fold-{number + 1}"
