"""Every knob of a training, in one place; written beside each trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

BUNDLED_ENCODER: Final = Path(__file__).resolve().parents[2] / "deploy" / "model"
"""The starter model's folder: it holds its own weights as a base for the next training."""

Pooling = Literal["first", "mean", "max", "mean+max"]
ClassWeight = Literal["none", "balanced", "effective"]
Quantisation = Literal["auto", "static", "dynamic", "none"]

Progress = Callable[[str, int, int], None]
"""Told of progress: what is being done, steps done, steps in all."""


def silent(stage: str, done: int, total: int) -> None:
    """Report progress to nobody."""
    del stage, done, total


def within(stage: str, progress: Progress) -> Progress:
    """Return what tells of the steps of one stage: its name stands before theirs.

    >>> within("fold 1 of 3", lambda stage, done, total: print(stage, done, total))("epoch 2", 5, 9)
    fold 1 of 3: epoch 2 5 9
    """

    def told(step: str, done: int, total: int) -> None:
        progress(f"{stage}: {step}", done, total)

    return told


class Imbalance(BaseModel):
    """What is done about rare categories. The default is nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    oversampling: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="0: rows as they are; 1: every category as often as every other; between: "
        "shares raised to the power of one less this.",
    )
    class_weight: ClassWeight = "none"
    effective_beta: float = Field(default=0.999, ge=0.0, lt=1.0)
    focal_gamma: float = Field(default=0.0, ge=0.0, description="0 is plain cross-entropy.")
    logit_adjustment: float = Field(
        default=0.0, ge=0.0, description="Strength (tau) of the prior added to the logits."
    )


class Tricks(BaseModel):
    """What may help with few and noisy labels; each is judged by the ablation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    soft_labels: bool = True
    row_weights: bool = True
    prune: bool = Field(default=False, description="Drop rows that confident learning doubts.")
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    r_drop: float = Field(default=0.0, ge=0.0, description="Weight of the symmetric divergence.")
    adversarial: float = Field(default=0.0, ge=0.0, description="FGM: size of the disturbance.")
    layer_decay: float = Field(default=1.0, gt=0.0, le=1.0)
    reinit_layers: int = Field(default=0, ge=0, description="Top encoder layers to start afresh.")
    averaging: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Decay of the averaged weights; 0 is off."
    )
    early_stopping: int = Field(
        default=0,
        ge=0,
        description="Epochs in a row that may gain nothing on a tenth of the trusted rows, which is "
        "held back for that; then the best epoch's weights are taken. 0 trains all epochs on all rows.",
    )
    augmentation: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Share of rows that get typos or lose words."
    )
    soup: int = Field(
        default=1,
        ge=1,
        le=20,
        description="Trainings with seeds of their own; the model is the mean of their weights.",
    )


class Teacher(NamedTuple):
    """A family that labels further texts, and its own base checkpoint; None: the model's."""

    family: str
    base: str | None

    @classmethod
    def parse(cls, said: str) -> Teacher:
        """Read ``FAMILY`` or ``FAMILY=BASE``; a base may hold a further ``=``.

        >>> Teacher.parse("embeddings=models/a=b")
        Teacher(family='embeddings', base='models/a=b')
        """
        family, equals, base = said.partition("=")
        return cls(family, base if equals else None)


class FineTuning(BaseModel):
    """How a teacher on a base of its own is trained, where that differs from the model it teaches.

    A large pretrained base wants fewer epochs and a lower rate than a small one, and is slow to train
    as a whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0.0)
    frozen_layers: int | None = Field(default=None, ge=0)

    @property
    def given(self) -> dict[str, int | float]:
        """The options that differ, by their names in the model's own."""
        return self.model_dump(exclude_none=True)


class Distillation(BaseModel):
    """An ensemble that labels further texts for the model to learn from. The default is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    teachers: tuple[str, ...] = Field(
        default=(),
        description="Families; each is trained on the same rows with a seed of its own. FAMILY=BASE "
        "starts from a base checkpoint of its own.",
    )
    fine_tuning: FineTuning = Field(
        default=FineTuning(), description="Of the teachers that have a base of their own."
    )
    texts: Path | None = Field(
        default=None,
        description="CSV or JSON lines with unlabelled text; without it, thinned copies of the "
        "reviews whose labels a program guessed (or of all) and short runs of their words.",
    )
    weight: float = Field(
        default=0.5, gt=0.0, description="Of a text that the teachers labelled; others have theirs."
    )
    measured: frozenset[str] = Field(
        default=frozenset(),
        exclude=True,
        repr=False,
        description="Normalised texts that scores are measured on: they are not learned from.",
    )

    @property
    def taught_by(self) -> tuple[Teacher, ...]:
        """The teachers, each with its base."""
        return tuple(map(Teacher.parse, self.teachers))


class TrainConfig(BaseModel):
    """How to train one model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # scikit-learn takes 32 bits, and a teacher has a higher seed than its pupil.
    seed: int = Field(default=0, ge=0, le=4_000_000_000)
    encoder: Path | str = Field(
        default=BUNDLED_ENCODER, description="Base checkpoint: a folder, or a hub's name."
    )
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=4e-4, gt=0.0)
    head_learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    warmup: float = Field(default=0.1, ge=0.0, le=1.0, description="Share of the steps.")
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    pooling: Pooling = "mean+max"
    frozen_layers: int = Field(
        default=0,
        ge=0,
        description="Lowest layers of the base that stay as they are, and its embeddings with them; 0 "
        "trains all. With half of a large base frozen a training takes six tenths of the time.",
    )
    max_length: int = Field(default=96, ge=8, le=512, description="Word pieces, specials included.")
    lora_rank: int = Field(default=16, ge=1)
    hidden: int = Field(default=128, ge=1, description="Width of MLP and LSTM, per direction.")
    folds: int = Field(default=3, ge=2, description="Of the out-of-fold predictions.")
    held_out: Literal["products", "rows"] = Field(
        default="products",
        description="What a fold holds: whole products, where the labels name them, so that what is "
        "measured is goods that no model saw; or rows at random, which flatters.",
    )
    precision: float = Field(
        default=0.98, gt=0.0, lt=1.0, description="Wanted among published reviews."
    )
    guarantee: bool = Field(
        default=False,
        description="Thresholds that keep the precision with 95% confidence, category by category. What "
        "has too few labels for that is asked about.",
    )
    foreign_share: float = Field(
        default=0.0,
        ge=0.0,
        le=0.4,
        description="Of the stream, texts that belong to no category: thresholds keep the precision with "
        "so many among them. What the model says of such texts is found out by leaving categories out.",
    )
    quantise: Quantisation = Field(
        default="auto",
        description="Eight-bit graph for a CPU: static (scales fitted to training texts), dynamic "
        "(measured batch by batch), auto (the first of both that keeps the categories, else none).",
    )
    imbalance: Imbalance = Imbalance()
    tricks: Tricks = Tricks()
    distillation: Distillation = Distillation()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0, description="CPU threads; 0 leaves it to torch.")
    checkpoints: Path | None = Field(
        default=None, description="Folder to resume from after an interruption."
    )

    def measured_on(self, normalized: Iterable[str]) -> TrainConfig:
        """Return a copy whose distillation leaves texts out because scores are measured on them.

        Args:
            normalized: the texts.
        """
        measured = self.distillation.measured | frozenset(normalized)
        distillation = self.distillation.model_copy(update={"measured": measured})
        return self.model_copy(update={"distillation": distillation})

    def described(self) -> dict[str, Any]:
        """Return the options as JSON would hold them, without paths: those say nothing of a model."""
        return self._pathless().model_dump(
            mode="json", exclude={"checkpoints": True, "encoder": True, "distillation": {"texts"}}
        )

    @property
    def base(self) -> str:
        """Name of the base checkpoint, without its path."""
        return Path(str(self.encoder)).name

    def deciding(self, *but: str) -> str:
        """Return the options that decide the weights, as JSON.

        Base checkpoints are not among them: their paths say nothing of what they hold
        (:func:`training.fit.lineage.decided_by` does).

        Args:
            but: further options to leave out.
        """
        without = {
            "checkpoints",
            "encoder",
            "folds",
            "foreign_share",
            "guarantee",
            "held_out",
            "precision",
            "quantise",
        }
        without |= set(but)
        if not self.distillation.teachers:
            without.add("distillation")
        return self._pathless().model_dump_json(exclude=without)

    def _pathless(self) -> TrainConfig:
        """Return a copy whose teachers are families alone."""
        teachers = tuple(teacher.family for teacher in self.distillation.taught_by)
        distillation = self.distillation.model_copy(update={"teachers": teachers})
        return self.model_copy(update={"distillation": distillation})
