"""Soft labels for training: what the labellers together say of reviews that nobody labelled.

For the models::

    from tests.bench.bundled_model.soft_labels import starter_labels

    labels = starter_labels(Path("../shared/data"))     # train.csv and reviews.csv, ~8,000 rows
    labels.ids, labels.texts                            # lists of str, texts as they were written
    labels.probabilities                                # float32 [rows, categories], rows sum to one
    labels.weight                                       # float32 [rows], 0 to 1: how far to trust it
    labels.decided_by                                   # "validated", "pool" or "unsure"

The texts of ``gold_dev.csv`` are left out, by id and by normalised text. It takes some ten seconds.
``soft_labels`` does the same for any reviews and any validated sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from training.data.files import LabelledItem, UnlabelledReview, read_items, read_labelled
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.errors import DataError
from training.labelling.dictionary import DictionaryLabeller
from training.labelling.heuristic import HeuristicLabeller
from training.labelling.pooling import fit_pool
from training.labelling.recorded import RecordedLabeller
from training.labelling.votes import Distribution, Labeller

# What the pool must be sure of to count as decided; below, the row is weighed down.
_DECIDED: Final = 0.9
_UNSURE_WEIGHT: Final = 0.3
_RECORDED: Final = {"qwen2-7b-instruct": None, "reader": 1.5}
"""Recorded voters of the bundled case, and a fixed weight where no validated review judges them:
the reader answered only reviews outside the validated sample."""


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Labels for training.

    Attributes:
        ids: review ids.
        texts: the reviews as they were written.
        probabilities: float32 [rows, categories] by category id.
        weight: how far to trust the row, float32 [rows], 0 to 1.
        decided_by: "validated", "pool" or "unsure".
    """

    ids: list[str]
    texts: list[str]
    probabilities: Distribution
    weight: NDArray[np.float32]
    decided_by: list[str]

    def __len__(self) -> int:
        return len(self.ids)


def soft_labels(
    items: Sequence[UnlabelledReview],
    validated: Sequence[LabelledItem],
    labellers: Sequence[Labeller],
    trust: Sequence[float | None] | None = None,
) -> SoftLabels:
    """Label reviews with a pool of labellers that is fitted on a validated sample.

    Args:
        items: the reviews; those that are in the validated sample keep its label.
        validated: a random sample with known categories. A category that it does not hold is
            taken for absent from the stream.
        labellers: the voters.
        trust: fixed weights, see :func:`~training.labelling.pooling.fit_pool`.
    """
    known = np.array([row.category.id for row in validated], dtype=np.int64)
    prior = np.bincount(known, minlength=category_count()) / len(known)
    sample = [row.item.normalized for row in validated]
    pool = fit_pool([voter.label(sample) for voter in labellers], known, prior, trust)
    texts = [item.normalized for item in items]
    posterior = pool.posterior([voter.label(texts) for voter in labellers])
    confidence = posterior.max(axis=1)
    decided = ["pool" if sure else "unsure" for sure in confidence >= _DECIDED]
    weight = np.where(confidence >= _DECIDED, confidence, confidence * _UNSURE_WEIGHT)
    by_text = {text: row.category.id for text, row in zip(sample, validated, strict=True)}
    for row, text in enumerate(texts):
        if text in by_text:
            posterior[row] = np.eye(category_count())[by_text[text]]
            weight[row], decided[row] = 1.0, "validated"
    return SoftLabels(
        [item.id for item in items],
        [item.text for item in items],
        posterior.astype(np.float32),
        weight.astype(np.float32),
        decided,
    )


def starter_labels(data: Path, unstated: Unstated = PERSON_ASSUMED) -> SoftLabels:
    """Label the public case's reviews for the bundled starter model.

    Args:
        data: the folder with ``train.csv``, ``reviews.csv``, ``validated.csv``, ``llm_votes.jsonl``
            and ``gold_dev.csv``, whose texts are left out.
        unstated: is told which reviews without a text are left out.

    Raises:
        DataError: a file is absent, or a review has no text and nobody is told.
    """
    if not data.is_dir():
        raise DataError(f"there is no folder {data}", "name the folder that holds the reviews")
    train = read_items(data / "train.csv", unstated)
    gold = read_labelled(data / "gold_dev.csv")
    held_ids = {row.item.id for row in gold}
    held_texts = {row.item.normalized for row in gold}
    items = [
        item
        for item in [*train, *read_items(data / "reviews.csv", unstated)]
        if item.id not in held_ids and item.normalized not in held_texts
    ]
    recorded = [
        RecordedLabeller.load(data / "llm_votes.jsonl", model, train) for model in _RECORDED
    ]
    return soft_labels(
        items,
        read_labelled(data / "validated.csv"),
        [HeuristicLabeller.load(), DictionaryLabeller.load(), *recorded],
        [None, None, *_RECORDED.values()],
    )
