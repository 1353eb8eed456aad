"""A champion of two stages gets a successor of two: both are trained, and calibrated as one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from stream.model.folder import Manifest
from training.cascade import LEAST_ROWS, make_cascade
from training.data.dataset import Dataset, trusted
from training.data.folds import folds_of
from training.encoders.known import known
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, within
from training.train import train_family

if TYPE_CHECKING:
    from training.export.folder import FolderOptions

# Of the rows that can be measured on, one part in so many is kept out of both trainings.
_PARTS: Final = 5
_LEAST_PARTS: Final = 3


def train_cascade(
    first: str,
    family: str,
    dataset: Dataset,
    folder: Path,
    config: TrainConfig,
    progress: Progress,
    options: FolderOptions,
) -> Manifest:
    """Train both stages on four fifths of the trusted rows and all others, and make them one by the rest.

    With fewer than six hundred trusted rows that are new to the base one stage is trained, on all of
    them: two hundred must be kept out, and as many again left to learn from.

    Args:
        first: family of the first stage.
        family: of the last one.
        dataset: all rows.
        folder: where the model goes; an older one is replaced.
        config: how each is trained.
        progress: is told how far it is.
        options: what else goes into the folder.

    Raises:
        DataError: the configuration asks for what a cascade cannot do.
        ModelError: an exported model does not compute what the trained one does.
    """
    kept = _kept_out(dataset, config)
    if kept is None:
        return train_family(family, dataset, folder, config, progress, options=options)
    if config.foreign_share:
        raise DataError(
            "thresholds of two stages do not answer for texts of no category",
            "retrain without foreign_share",
        )
    rest = dataset.without_texts_of(kept)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        cheap, exact = Path(temporary) / "cheap", Path(temporary) / "exact"
        # What an interruption leaves is the last stage's: the first one takes seconds.
        quick = config.model_copy(update={"checkpoints": None})
        train_family(first, rest, cheap, quick, within("first stage", progress), calibration=kept)
        last = within("last stage", progress)
        train_family(family, rest, exact, config, last, calibration=kept, options=options)
        shutil.rmtree(folder, ignore_errors=True)
        made = make_cascade(
            cheap,
            exact,
            kept,
            folder,
            precision=config.precision,
            guarantee=config.guarantee,
            training_digest=dataset.digest,
        )
    return made.manifest


def _kept_out(dataset: Dataset, config: TrainConfig) -> Dataset | None:
    """Return rows to calibrate on, categories as in all; None where they do not suffice."""
    real = np.array([origin.of_the_stream for origin in dataset.origin], dtype=np.bool_)
    usable = np.flatnonzero(trusted(dataset) & real & ~known(dataset, str(config.encoder)))
    parts = min(_PARTS, len(usable) // LEAST_ROWS)
    if parts < _LEAST_PARTS:
        return None
    part = folds_of(dataset.categories[usable], parts, config.seed)
    # Parts are as large as each other but for a row a category.
    largest = int(np.bincount(part).argmax())
    rows = dataset.take(usable[part == largest])
    return rows if len(np.unique(rows.categories)) > 1 else None
