"""What the starter model is made from: texts to pretrain on, and rows to train on.

Nothing here ever holds a text of ``gold_dev.csv``: it is compared by id and by normalised text. The
held-out and demo examples are left out in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from training.data.origins import Origin
from training.data.unstated import Unstated
from training.dataset import SYNTHETIC_WEIGHT, Dataset, join, read_labelled_dataset
from training.labelling.ensemble import SoftLabels, starter_labels
from training.labelling.files import read_labelled, read_votes
from training.starter.synthetic import synthetic_dataset

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "deploy" / "examples"
TRAIN_EXAMPLES: Final = EXAMPLES / "train.jsonl"
HELDOUT_EXAMPLES: Final = EXAMPLES / "heldout.jsonl"
DEMO_EXAMPLES: Final = EXAMPLES / "demo.jsonl"

_READER: Final = "reader"
_READ: Final = Unstated(Origin.READ)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How much of what goes in.

    Attributes:
        synthetic: composed sentences, all categories together.
        written_weight: of an example that was written for this project.
        seed: of the composed sentences.
    """

    synthetic: int = 4500
    written_weight: float = 2.0
    seed: int = 0


def starter_dataset(data: Path, recipe: Recipe = Recipe()) -> Dataset:
    """Put together what the starter model is trained on.

    Args:
        data: the folder of the real reviews.
        recipe: how much of what.

    Raises:
        DataError: a file is absent.
    """
    real = _real_rows(starter_labels(data), data)
    written = read_labelled_dataset(TRAIN_EXAMPLES)
    written.weight[:] = recipe.written_weight
    composed = synthetic_dataset(recipe.synthetic, recipe.seed, SYNTHETIC_WEIGHT)
    return join(real, written, composed).without_texts_of(held_out(data))


def held_out(data: Path) -> Dataset:
    """Read all that the starter model is measured on or shown with: it learns from none of it."""
    paths = (data / "gold_dev.csv", HELDOUT_EXAMPLES, DEMO_EXAMPLES)
    return join(*(read_labelled_dataset(path, _READ) for path in paths))


def pretraining_texts(dataset: Dataset) -> list[str]:
    """Return the distinct normalised texts of a dataset, in order."""
    return [text for text in dict.fromkeys(dataset.normalized) if text]


def gold(data: Path) -> Dataset:
    """Read the gold labels: for reporting, never for fitting."""
    return read_labelled_dataset(data / "gold_dev.csv", _READ)


def _real_rows(labels: SoftLabels, data: Path) -> Dataset:
    """Take the soft labels; a text that occurs several times is kept once, with its best label."""
    read = {who for who, model, _, _ in read_votes(data / "llm_votes.jsonl") if model == _READER}
    read -= {row.item.id for row in read_labelled(data / "validated.csv")}
    origin = [
        Origin.READ if who in read and decided != Origin.VALIDATED else Origin(decided)
        for who, decided in zip(labels.ids, labels.decided_by, strict=True)
    ]
    rows = Dataset(labels.texts, labels.probabilities, labels.weight, origin)
    trust = {Origin.VALIDATED: 0, Origin.READ: 1, Origin.POOL: 2, Origin.UNSURE: 3}
    order = sorted(range(len(rows)), key=lambda row: (trust[origin[row]], row))
    best: dict[str, int] = {}
    for row in order:
        best.setdefault(rows.normalized[row], row)
    return rows.take(np.array(sorted(best.values()), dtype=np.int64))
