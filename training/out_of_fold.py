"""What a family says of labelled rows that it was not trained on: the ground calibration stands on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from schemas import category_count
from training.data.dataset import Dataset
from training.distillation import fit_family
from training.fit.config import Progress, TrainConfig, within
from training.measures.held_out import HeldOut
from training.split import Split


def out_of_fold(
    name: str, dataset: Dataset, split: Split, config: TrainConfig, progress: Progress
) -> HeldOut:
    """Train once a part on all other rows, and predict the part.

    Rows that are not measured on are in every training set, but for those of a product that is held
    out. Finished parts are kept in the configuration's checkpoint folder.

    Args:
        name: of the family.
        dataset: all rows.
        split: of them, see :func:`training.split.split_of`.
        config: how each is trained.
        progress: is told how far it is.

    Raises:
        DataError: there is nothing to learn from a part.
    """
    rows = dataset.take(split.measured.places)
    logits = np.zeros((len(rows), category_count()), dtype=np.float32)
    for number, part in enumerate(split.parts, start=1):
        texts = [rows.normalized[row] for row in part.held]
        own = config.model_copy(update={"checkpoints": _folder(config, number)})
        told = within(f"fold {number} of {len(split.parts)}", progress)
        model = fit_family(name, dataset.take(part.training), own.measured_on(texts), told)
        logits[part.held] = model.logits(texts)
    return HeldOut(rows, logits, split.measured.known, split.products)


def _folder(config: TrainConfig, number: int) -> Path | None:
    return None if config.checkpoints is None else config.checkpoints / f"fold-{number}"
