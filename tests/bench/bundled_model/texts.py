"""What the starter model is made from: texts to pretrain on, and rows to train on.

Nothing here ever holds a text of the files that scores are reported on: ``gold_dev.csv``, those of the
other shops, and the held-out and demo examples. They are compared by normalised text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stream.text import normalize
from tests.bench.bundled_model.soft_labels import SoftLabels, starter_labels
from training.data.dataset import SYNTHETIC_WEIGHT, Dataset, dataset_of, join, read_labelled_dataset
from training.data.files import read_items, read_labelled, read_votes
from training.data.origins import Origin
from training.data.parts import examples_file, held_out_files
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.words.templates import synthetic_dataset

SHOPS: Final = Path("real")
"""Where in the folder of reviews those of other shops are."""
SHOPS_REPORTED: Final = (SHOPS / "gold_dev.csv", SHOPS / "live_dev.csv")
# Below this its reader was in doubt between two categories (the codebook's last line), of 100.
_SURE: Final = 60.0
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
    written_weight: float = 1.0
    seed: int = 0


def starter_dataset(
    data: Path, recipe: Recipe = Recipe(), unstated: Unstated = PERSON_ASSUMED
) -> Dataset:
    """Put together what the starter model is trained on.

    Args:
        data: the folder of the real reviews.
        recipe: how much of what.
        unstated: is told which reviews without a text are left out.

    Raises:
        DataError: a file is absent, or a review has no text and nobody is told.
    """
    case = _case_rows(starter_labels(data, unstated), data)
    written = read_labelled_dataset(examples_file())
    written.weight[:] = recipe.written_weight
    composed = synthetic_dataset(recipe.synthetic, recipe.seed, SYNTHETIC_WEIGHT)
    return join(case, shop_rows(data), written, composed).without_texts_of(held_out(data))


def held_out(data: Path) -> Dataset:
    """Read all that the starter model is measured on or shown with: it learns from none of it."""
    reported = [data / path for path in (Path("gold_dev.csv"), *SHOPS_REPORTED)]
    paths = (*reported, *held_out_files())
    return join(*(read_labelled_dataset(path, _READ) for path in paths))


def shop_rows(data: Path) -> Dataset:
    """Read the labelled reviews of other shops, without those whose reader was in doubt.

    Raises:
        DataError: a file is absent.
    """
    validated = read_labelled(data / SHOPS / "validated.csv", _READ)
    read = read_labelled(data / SHOPS / "read.csv", _READ)
    rows = dataset_of([*validated, *(row for row in read if (row.confidence or 0.0) >= _SURE)])
    first = {text: row for row, text in reversed(list(enumerate(rows.normalized)))}
    return rows.take(np.array(sorted(first.values()), dtype=np.int64))


def unlabelled_texts(data: Path, unstated: Unstated = PERSON_ASSUMED) -> list[str]:
    """Read the reviews of the case's stream and of other shops that nobody labelled, in order.

    Args:
        data: the folder of the real reviews.
        unstated: is told which reviews without a text are left out.

    Raises:
        DataError: a file is absent, or a review has no text and nobody is told.
    """
    paths = (data / "reviews.csv", data / SHOPS / "reviews.csv")
    return [item.text for path in paths for item in read_items(path, unstated)]


def pretraining_texts(
    dataset: Dataset, further: Iterable[str] = (), but: Dataset | None = None
) -> list[str]:
    """Return the distinct normalised texts of a dataset and further ones, in order.

    Args:
        dataset: rows to train on later.
        further: texts that nobody labelled.
        but: rows whose texts are left out.
    """
    without = set(() if but is None else but.normalized) | {""}
    texts = dict.fromkeys([*dataset.normalized, *map(normalize, further)])
    return [text for text in texts if text not in without]


def _case_rows(labels: SoftLabels, data: Path) -> Dataset:
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
