"""Training from Python: one call from a dataset to a checked, servable model folder.

::

    from training.fit.config import TrainConfig
    from training.train import fit_family, train_family

    model = fit_family("ngrams", dataset)                       # in memory; baselines included
    manifest = train_family("bert", dataset, Path("build/model"))  # exported, calibrated, verified
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stream.model.folder import Manifest
from training.data.dataset import Dataset
from training.distillation import fit_family
from training.encoders.checkpoints import CheckpointError, layers_told, local_checkpoint
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, silent
from training.foreign import foreign_logits, left_out_of
from training.measures.held_out import HeldOut
from training.measures.rule import fit_rule
from training.models.family import UnknownFamily, family
from training.out_of_fold import out_of_fold
from training.split import Split, measured_rows, split_of
from training.writable import check_replaceable

if TYPE_CHECKING:
    from training.export.folder import FolderOptions
    from training.fit.loop import NeuralModel

__all__ = [
    "check_options",
    "check_servable",
    "check_teachers",
    "fit_family",
    "train_family",
]


def train_family(
    name: str,
    dataset: Dataset,
    folder: Path,
    config: TrainConfig | None = None,
    progress: Progress = silent,
    *,
    calibration: Dataset | None = None,
    split: Split | None = None,
    options: FolderOptions | None = None,
) -> Manifest:
    """Train, calibrate, export and check a model folder that the worker can serve.

    Temperature and thresholds come from out-of-fold predictions over ``dataset``'s most trusted
    rows, or from ``calibration`` where that is given (then nothing is trained twice). The folder is
    complete or absent: it is made aside and moved into place. An interrupted call with the same
    ``config.checkpoints`` goes on where it was.

    Args:
        name: of a servable family.
        dataset: what to train on.
        folder: where the model goes; must not exist, or be a model folder (it is replaced).
        config: how.
        progress: is told how far it is.
        calibration: labelled rows that are in no training set.
        split: of ``dataset`` by ``config``, where the caller has it already.
        options: what else goes into the folder.

    Raises:
        UnknownFamily: there is no such family, or it is a baseline and cannot serve.
        DataError: there is nothing to train on, or ``folder`` holds something else.
        ModelError: the exported model does not compute what the trained one does.
    """
    check_servable(name)
    if not len(dataset):
        raise DataError("there is nothing to train on", "label some reviews first")
    check_replaceable(folder)
    config = config or TrainConfig()
    if calibration is None:
        split = split or split_of(dataset, config)
    left_out = None
    if config.foreign_share:
        measured = split.measured if split else measured_rows(dataset, config)
        left_out = left_out_of(dataset, measured, config)
    # torch when needed.
    from training.export.cpu_graph import Sample  # noqa: PLC0415
    from training.export.folder import FolderOptions, Made, write_folder  # noqa: PLC0415

    held = None
    if calibration is None and split is not None:
        held = out_of_fold(name, dataset, split, config, progress)
    final = config
    if config.checkpoints is not None:
        final = config.model_copy(update={"checkpoints": config.checkpoints / "final"})
    if calibration is not None:
        final = final.measured_on(calibration.normalized)
    model = cast("NeuralModel", fit_family(name, dataset, final, progress))
    if held is None:
        rows = cast("Dataset", calibration)
        held = HeldOut(rows, model.logits(rows.normalized))
    if left_out is not None:
        asked = foreign_logits(name, dataset, left_out, len(held.rows), config, progress)
        held = replace(held, foreign=asked)
    sample = Sample.of(model, dataset.normalized)
    unknown = sample.share_of(model.encoder.unknown_id)
    rule = fit_rule(held, config.precision, unknown, guarantee=config.guarantee)
    made = Made(name, config, dataset, held, rule)
    manifest = write_folder(
        model, made, sample, folder, options or FolderOptions(name=name), progress
    )
    if config.checkpoints is not None:
        shutil.rmtree(config.checkpoints, ignore_errors=True)
    return manifest


def check_teachers(config: TrainConfig) -> None:
    """Refuse teachers that cannot be trained, before any is.

    Raises:
        UnknownFamily: there is none of a name.
        DataError: one is given a base, and starts from none; or options for teachers on a base of
            their own are given, and none is trained on one.
        LabellerUnavailable: a base is not on this machine.
        CheckpointError: more layers of a base are to be frozen than it has.
    """
    chosen = config.distillation
    tuned = False
    for teacher in chosen.taught_by:
        of = family(teacher.family)
        if teacher.base is None:
            continue
        if not of.based:
            raise DataError(
                f"{teacher.family} starts from no base, and is given {teacher.base}",
                f"name it as it is: --teacher {teacher.family}",
            )
        local_checkpoint(teacher.base)
        tuned = tuned or of.varies
        if of.trains_layers:
            own = {"encoder": teacher.base} | chosen.fine_tuning.given
            check_options(teacher.family, config.model_copy(update=own))
    if chosen.fine_tuning.given and not tuned:
        raise DataError(
            "distillation.fine_tuning is for teachers that are trained on a base of their own, and "
            "there is none",
            "name one (--teacher bert=BASE), or leave fine_tuning out",
        )


def check_options(name: str, config: TrainConfig) -> None:
    """Refuse what a family would leave out without a word, and more frozen layers than there are.

    Args:
        name: of the family.
        config: of its training.

    Raises:
        UnknownFamily: there is none of this name.
        DataError: neither the family nor its teachers know an option, it has no mean of trainings, trains
            no layer of its base, or some layers are to be frozen and to start afresh.
        LabellerUnavailable: the base is not on this machine.
        CheckpointError: it has fewer layers.
    """
    if options := list(_unknown_options(name, config)):
        raise DataError(
            f"{name} is not trained by gradients: {', '.join(options)} would mean nothing to it",
            "leave that out, or train bert",
        )
    if config.tricks.soup > 1 and not family(name).averages:
        raise DataError(
            f"{name} learns products of weights, and the mean of several trainings is none of them",
            "leave tricks.soup out, or train bert",
        )
    _check_frozen_layers(name, config)


def _unknown_options(name: str, config: TrainConfig) -> Iterator[str]:
    """Yield the options that neither a family nor one of its teachers knows."""
    if family(name).varies:
        return
    heard = any(family(one.family).varies for one in config.distillation.taught_by)
    for section, said in (("tricks", config.tricks), ("imbalance", config.imbalance)):
        for option in said.model_dump(exclude_defaults=True):
            if not heard or option == "soup":  # teachers are trained once each
                yield f"{section}.{option}"


def _check_frozen_layers(name: str, config: TrainConfig) -> None:
    if not config.frozen_layers:
        return
    if not family(name).trains_layers:
        raise DataError(
            f"{name} trains no layer of its base as it is: frozen_layers means nothing to it",
            "leave frozen_layers out",
        )
    layers, afresh = layers_told(str(config.encoder)), config.tricks.reinit_layers
    if layers is None:
        return
    if config.frozen_layers > layers:
        raise CheckpointError(
            f"{config.frozen_layers} layers cannot be frozen: {config.encoder} has {layers}",
            "freeze fewer (frozen_layers)",
        )
    if config.frozen_layers + afresh > layers:
        raise DataError(
            f"{config.frozen_layers} of the {layers} layers are to be frozen, and {afresh} to start afresh",
            "choose fewer of one of them (frozen_layers, tricks.reinit_layers)",
        )


def check_servable(name: str) -> None:
    """Refuse a family that cannot be exported.

    Raises:
        UnknownFamily: there is none of this name, or it is a baseline.
    """
    if not family(name).servable:
        raise UnknownFamily(f"{name} is a baseline: it cannot serve", "train bert, or compare it")
