"""What a model says of texts that belong to no category, where nobody has labelled any.

A text of no category gets the nearest one, and rows of known categories do not tell how often it is
published. So some categories are left out of a training, and the model is asked about their texts: what
is unlike anything that it learned. Thresholds that are chosen with these answers among the others keep
a precision although part of the stream is foreign (:class:`training.measures.held_out.HeldOut`). Other
scores than the calibrated confidence were tried and tell such texts no better: see
``deploy/docs/measurements/``. Leaving classes out: Shu, Xu, Liu, "DOC: Deep Open Classification of Text
Documents", 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import active_taxonomy, category_count
from training.data.dataset import Dataset
from training.distillation import fit_family
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, within
from training.split import MeasuredRows

# Of the categories, so many at a time: a model of much fewer is another one.
_GROUPS: Final = 5
# Fewer cannot be left out in parts with two to learn.
_LEAST_CATEGORIES: Final = 4


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is left out of trainings, part by part, to ask about it.

    Attributes:
        categories: ids of those that are left out together, int64 [categories of the part].
        asked: rows that may be asked about: of the stream, measured, with a category, bool [rows].
    """

    categories: tuple[NDArray[np.int64], ...]
    asked: NDArray[np.bool_]


def left_out_of(dataset: Dataset, measured: MeasuredRows, config: TrainConfig) -> LeftOut:
    """Decide which categories are left out together, and whose texts are asked about.

    Args:
        dataset: all rows.
        measured: those whose labels can be measured on.
        config: how it is to be trained.

    Raises:
        DataError: there are too few categories to leave some out, or no text of the stream has one.
    """
    categories = _groups(dataset, config.seed)
    asked = _own(dataset, measured)
    if not asked.any():
        raise DataError(
            "foreign texts need labels of the stream, to leave their category out: there are none that "
            "can be trusted",
            "train without --foreign, or label some of your reviews",
        )
    return LeftOut(tuple(categories), asked)


def foreign_logits(
    name: str,
    dataset: Dataset,
    parts: LeftOut,
    held: int,
    config: TrainConfig,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return logits of texts whose category was left out of the training, float32 [texts, categories].

    There are so many that they are the configured share of them and the held-out rows together, or as
    many as there are.

    Args:
        name: of the family.
        dataset: all rows.
        parts: of the categories, each left out of a training of its own.
        held: how many rows are held out with their categories known.
        config: how each is trained, and the share.
        progress: is told how far it is.
    """
    share = config.foreign_share
    wanted = math.ceil(held * share / (1 - share))
    found: list[NDArray[np.float32]] = []
    for number, group in enumerate(parts.categories, start=1):
        if sum(map(len, found)) >= wanted:
            break
        left_out = np.isin(dataset.categories, group)
        asked = dataset.take(left_out & parts.asked)
        if not len(asked):
            continue
        folder = config.checkpoints and config.checkpoints / f"foreign-{number}"
        chosen = config.model_copy(update={"checkpoints": folder}).measured_on(asked.normalized)
        told = within(f"without some categories, {number}", progress)
        # A text that stands under two categories would be known.
        known = set(asked.normalized)
        new = np.array([text not in known for text in dataset.normalized])
        model = fit_family(name, dataset.take(~left_out & new), chosen, told)
        found.append(model.logits(asked.normalized))
    logits = np.concatenate([*found, np.empty((0, category_count()), dtype=np.float32)])
    chosen_rows = np.random.default_rng(config.seed).permutation(len(logits))[:wanted]
    return logits[chosen_rows]


def _own(dataset: Dataset, measured: MeasuredRows) -> NDArray[np.bool_]:
    """Tell which rows may be asked about: of the stream, with a category that can be left out."""
    of_the_stream = np.array([origin.of_the_stream for origin in dataset.origin], dtype=np.bool_)
    named = dataset.categories != active_taxonomy().none_id
    found = np.isin(np.arange(len(dataset)), measured.places)
    return np.asarray(found & of_the_stream & named, dtype=np.bool_)


def _groups(dataset: Dataset, seed: int) -> list[NDArray[np.int64]]:
    """Return the categories that have rows, in parts; "none of these" is always learned."""
    present = np.unique(dataset.categories)
    present = present[present != active_taxonomy().none_id]
    if len(present) < _LEAST_CATEGORIES:
        raise DataError(
            f"foreign texts need {_LEAST_CATEGORIES} categories with labels, to leave some out: there "
            f"are {len(present)}",
            "train without --foreign",
        )
    return np.array_split(
        np.random.default_rng(seed).permutation(present), min(_GROUPS, len(present) // 2)
    )
