"""Learning from an ensemble: what several trained models think of texts that nobody labelled.

(Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; on unlabelled text: Turc et al.,
"Well-Read Students Learn Better", 2019.) The teachers are trained on the very rows that the model is
trained on, so that predictions out of fold stay honest: no teacher has seen the fold either, and texts
that scores are measured on are not learned from, whatever their teachers would say of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from schemas import category_count
from stream.text import normalize
from training.data.dataset import Dataset, join
from training.data.files import read_items
from training.data.origins import Origin
from training.errors import DataError
from training.fit.config import Distillation, Progress, TrainConfig, silent, within
from training.measures.calibration import softmax
from training.models.family import Trained, family
from training.models.variants import variants


def fit_family(
    name: str,
    dataset: Dataset,
    config: TrainConfig | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train one model and keep it in memory; where teachers are named, they are trained first.

    Args:
        name: of the family, see :data:`training.models.family.FAMILIES`.
        dataset: what to train on, all of it.
        config: how.
        progress: is told how far it is.

    Raises:
        UnknownFamily: there is no such family, or no such teacher.
        DataError: there is nothing to train on.
    """
    chosen, config = family(name), config or TrainConfig()
    if not len(dataset):
        raise DataError("there is nothing to train on", "label some reviews first")
    if chosen.taught and config.distillation.teachers:
        dataset = with_teachers(dataset, config, progress)
    return chosen.fit(dataset, config, progress)


def with_teachers(dataset: Dataset, config: TrainConfig, progress: Progress) -> Dataset:
    """Return a dataset with further texts, labelled softly by the mean of the teachers.

    They come from the file that the configuration names; without one they are made of the reviews.

    Args:
        dataset: what the teachers are trained on; a text that it holds is not added again.
        config: of the model that learns, and of its teachers but for their seeds; texts that it says
            are measured on are left out.
        progress: is told which teacher is at it.

    Raises:
        DataError: the texts are absent, or all of them are in the dataset.
        UnknownFamily: there is no such teacher.
    """
    chosen = config.distillation
    texts = _unlabelled(chosen, dataset, config.seed)
    total = np.zeros((len(texts), category_count()))
    for number, one in enumerate(chosen.taught_by, start=1):
        teacher = family(one.family).fit(
            dataset,
            _teacher(config, number, one.base),
            within(f"teacher {number} of {len(chosen.teachers)}", progress),
        )
        total += softmax(teacher.logits(texts.normalized))
    labels = (total / len(chosen.teachers)).astype(np.float32)
    weight = np.full(len(texts), chosen.weight, dtype=np.float32)
    return join(dataset, Dataset(texts.texts, labels, weight, texts.origin))


def _unlabelled(chosen: Distillation, dataset: Dataset, seed: int) -> Dataset:
    """Return the distinct texts that the dataset does not hold; their labels say nothing yet."""
    if chosen.texts is None:
        source, texts = "what the reviews are made into", variants(_to_vary(dataset), seed)
    else:
        source, texts = str(chosen.texts), [item.text for item in read_items(chosen.texts)]
    by_text = {normalize(text): text for text in texts}
    rows = [
        text for normalized, text in by_text.items() if normalized not in chosen.measured | {""}
    ]
    unknown = np.full((len(rows), category_count()), 1 / category_count(), dtype=np.float32)
    found = Dataset(
        rows, unknown, np.ones(len(rows), dtype=np.float32), [Origin.DISTILLED] * len(rows)
    )
    new = found.without_texts_of(dataset)
    if not len(new):
        raise DataError(
            f"{source}: no text besides those that are labelled or measured on",
            "name a file of other reviews",
        )
    return new


def _to_vary(dataset: Dataset) -> list[str]:
    """Return the reviews whose labels a program guessed, or all texts where there are none."""
    pairs = list(zip(dataset.texts, dataset.origin, strict=True))
    guessed = [text for text, of in pairs if of.of_the_stream and not of.may_measure]
    return guessed or dataset.texts


def _teacher(config: TrainConfig, number: int, base: str | None) -> TrainConfig:
    """Return a teacher's configuration: its own seed, folder and perhaps base, one training, no teachers."""
    own = {} if base is None else {"encoder": base} | config.distillation.fine_tuning.given
    folder: Path | None = None
    if config.checkpoints is not None:
        folder = config.checkpoints / f"teacher-{number}"
    # Seeds of a comparison are small: a teacher shares none with another run's model.
    return config.model_copy(
        update={
            "seed": config.seed + 1000 * number,
            "checkpoints": folder,
            "distillation": Distillation(),
            "tricks": config.tricks.model_copy(update={"soup": 1}),
        }
        | own
    )
