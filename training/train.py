"""Training from Python: one call from a dataset to a checked, servable model folder.

::

    from training.fit.config import TrainConfig
    from training.train import fit_family, train_family

    model = fit_family("ngrams", dataset)                       # in memory; baselines included
    manifest = train_family("bert", dataset, Path("build/model"))  # exported, calibrated, verified
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream.model.folder import Manifest
from training.data.dataset import Dataset
from training.encoders.checkpoints import local_checkpoint
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, silent
from training.models.family import Trained, UnknownFamily, family

if TYPE_CHECKING:
    from training.export.folder import Options


def fit_family(
    name: str,
    dataset: Dataset,
    config: TrainConfig | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train one model and keep it in memory.

    Args:
        name: of the family, see :data:`training.models.family.FAMILIES`.
        dataset: what to train on, all of it.
        config: how.
        progress: is told how far it is.

    Raises:
        UnknownFamily: there is no such family.
        DataError: there is nothing to train on.
    """
    chosen = family(name)
    if not len(dataset):
        raise DataError("there is nothing to train on", "label some reviews first")
    return chosen.fit(dataset, config or TrainConfig(), progress)


def train_family(
    name: str,
    dataset: Dataset,
    folder: Path,
    config: TrainConfig | None = None,
    progress: Progress = silent,
    *,
    calibration: Dataset | None = None,
    options: Options | None = None,
) -> Manifest:
    """Train, calibrate, export and check a model folder that the worker can serve.

    Temperature and thresholds come from out-of-fold predictions over ``dataset``'s most trusted
    rows, or from ``calibration`` where that is given (then nothing is trained twice). The folder is
    complete or absent: it is made aside and moved into place.

    Args:
        name: of a servable family.
        dataset: what to train on.
        folder: where the model goes; must not exist, or be a model folder (it is replaced).
        config: how.
        progress: is told how far it is.
        calibration: labelled rows that are in no training set.
        options: what else goes into the folder.

    Raises:
        UnknownFamily: there is no such family, or it is a baseline and cannot serve.
        DataError: there is nothing to train on.
        ModelError: the exported model does not compute what the trained one does.
    """
    check_servable(name)
    from training.export.folder import Options, export_family  # noqa: PLC0415 - torch when needed

    return export_family(
        name,
        dataset,
        folder,
        config or TrainConfig(),
        progress,
        calibration=calibration,
        options=options or Options(name=name),
    )


def check_teachers(config: TrainConfig) -> None:
    """Refuse teachers that cannot be trained, before any is.

    Raises:
        UnknownFamily: there is none of a name.
        DataError: one is given a base, and starts from none.
        LabellerUnavailable: a base is not on this machine.
    """
    for teacher in config.distillation.taught_by:
        based = family(teacher.family).based
        if teacher.base is None:
            continue
        if not based:
            raise DataError(
                f"{teacher.family} starts from no base, and is given {teacher.base}",
                f"name it as it is: --teacher {teacher.family}",
            )
        local_checkpoint(teacher.base)


def check_servable(name: str) -> None:
    """Refuse a family that cannot be exported.

    Raises:
        UnknownFamily: there is none of this name, or it is a baseline.
    """
    if not family(name).servable:
        raise UnknownFamily(f"{name} is a baseline: it cannot serve", "train bert, or compare it")
