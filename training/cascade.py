"""Two finished models become one of two stages: the cheap one decides what it may, the exact one the rest.

The labelled rows, which neither was trained on, are parted in halves. One half decides what the cheap
stage keeps; temperature, thresholds and promise of the whole are fitted to the other half as a training
fits them, so that the choice of the first does not flatter the second. Reviews of one product are in one half.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import active_taxonomy
from stream.errors import ModelError
from stream.model.cascade import PassOn
from stream.model.classifier import Classifier
from stream.model.folder import (
    CPU_GRAPH,
    FIRST_GRAPH,
    FIRST_TOKENIZER,
    KNOWN,
    MANIFEST,
    TOKENIZER,
    FirstStage,
    Manifest,
    write_manifest,
)
from training.data.dataset import Dataset, check_calibratable
from training.data.folds import folds_for_measuring
from training.encoders.known import known
from training.errors import DataError
from training.export.card import cascade_card
from training.measures.calibration import Floats, fit_temperature, softmax
from training.measures.clusters import clusters_of
from training.measures.held_out import HeldOut
from training.measures.metrics import Ids, accuracy, weighted_f1
from training.measures.rule import ManifestRule, fit_rule, promised, thresholds_for
from training.registry.files import copy_model

LEAST_ROWS: Final = 200
"""A hundred say what the first stage keeps, a hundred what the whole promises."""
LOSS: Final = 0.0025
"""Of the reviews, that the exact model had right and the cascade has wrong."""
_PRECISION: Final = 0.95
_DIGITS: Final = 4
_CARD: Final = "README.md"
_RUN: Final = "training.json"


@dataclass(frozen=True, slots=True)
class StageFigures:
    """What a stage, or both together, do on the rows that the whole was calibrated on.

    Attributes:
        name: of the stage.
        share: of the rows that it decides.
        accuracy: by itself, on all of them.
        weighted_f1: likewise.
        cpu_ms: processor time a review, thousandths of a second.
    """

    name: str
    share: float
    accuracy: float
    weighted_f1: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class MadeCascade:
    """A model of two stages.

    Attributes:
        manifest: of its folder.
        stages: the first, the last, and both together.
    """

    manifest: Manifest
    stages: tuple[StageFigures, StageFigures, StageFigures]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model folder, and what it says of the labelled rows."""

    folder: Path
    manifest: Manifest
    logits: NDArray[np.float32]
    unknown_share: float
    cpu_ms: float

    @classmethod
    def about(cls, folder: Path, rows: Dataset) -> _Asked:
        model = Classifier.load(folder, device="cpu")
        if model.cascaded:
            raise ModelError(f"{folder} has two stages already", "name the folder of one stage")
        if model.manifest.bias:
            raise ModelError(
                f"{folder} is calibrated to another stream by biases, which a stage has not",
                "name the folder that it was made from, and calibrate the cascade afterwards",
            )
        began = time.process_time()
        said = model.infer(rows.normalized)
        cpu_ms = (time.process_time() - began) * 1000 / len(rows)
        unknown = sum(said.unknown) / max(sum(said.tokens), 1)
        return cls(folder, model.manifest, said.logits, unknown, cpu_ms)

    def card(self) -> str:
        path = self.folder / _CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def make_cascade(
    cheap: Path,
    exact: Path,
    labels: Dataset,
    output: Path,
    *,
    precision: float | None = None,
    guarantee: bool = False,
    loss: float = LOSS,
    training_digest: str = "",
) -> MadeCascade:
    """Write a model folder of two stages. The files of the exact one stay what they are in it.

    Of rows that the exact model's base had learned with their labels nothing new is concluded: where
    others are too few, its own temperature and thresholds are taken, or higher ones.

    Args:
        cheap: folder of the first stage.
        exact: folder of the last stage.
        labels: rows that neither was trained on.
        output: the new folder, which must not exist.
        precision: wanted among what is published; None: what the exact model was asked for.
        guarantee: that it is kept with 95% confidence.
        loss: share of the reviews that the exact model may have right and the cascade wrong.
        training_digest: of the rows that both models and the labels are a part of; else the exact
            model's is kept.

    Raises:
        DataError: too few labels, or all of one category.
        ModelError: a folder cannot be used, or is no single stage.
    """
    rows, learned = _usable(labels, exact)
    if len(rows) < LEAST_ROWS:
        raise DataError(
            f"{len(rows)} labels: too few",
            f"label at least {LEAST_ROWS} reviews that neither model was trained on",
        )
    check_calibratable(rows)
    first, last = _Asked.about(cheap, rows), _Asked.about(exact, rows)
    wanted = precision or last.manifest.asked_precision or _PRECISION
    choosing = folds_for_measuring(rows, 2, seed=0) == 0
    stage = _first_stage(first, last, rows, choosing, wanted, loss, guarantee, learned)
    pass_on = PassOn.of(stage, last.manifest.categories)
    kept = pass_on.keeps(first.logits)
    logits = np.where(kept[:, None], pass_on.scaled(first.logits), last.logits)
    judged = rows.take(~choosing)
    held = HeldOut(judged, logits[~choosing], known=len(judged) if learned else 0)
    rule = fit_rule(
        held,
        wanted,
        first.unknown_share,
        guarantee=guarantee,
        no_bolder_than=last.manifest if learned else None,
    )
    agrees = (logits.argmax(axis=1) == last.logits.argmax(axis=1))[~choosing]
    measured = {
        "first_stage_share": float(kept[~choosing].mean()),
        "agreement_with_last_stage": float(agrees.mean()),
    }
    manifest = _manifest(last.manifest, stage, rule, measured, wanted, guarantee)
    if training_digest:
        manifest = manifest.model_copy(update={"training_digest": training_digest})
    written = _write(first, last, manifest, held, output)
    share = measured["first_stage_share"]
    truth = judged.categories
    alone = (
        _figures("first", share, first.logits[~choosing], truth, first.cpu_ms),
        _figures("last", 1 - share, last.logits[~choosing], truth, last.cpu_ms),
        _figures("both", 1.0, held.logits, truth, first.cpu_ms + (1 - share) * last.cpu_ms),
    )
    return MadeCascade(written, alone)


def keep_thresholds(
    probabilities: Floats,
    exact: Ids,
    truth: Ids,
    precision: float,
    loss: float,
    *,
    guarantee: bool,
    cluster: NDArray[np.int64] | None = None,
) -> Floats:
    """Return the least probabilities at which the first stage decides, float64 [categories].

    Each keeps the precision among what the stage decides, as thresholds of what is published do. Besides,
    all are so high that of the rows no more than ``loss`` are right by the exact model and wrong by this
    one; rows that only this one has right do not make up for them.

    Args:
        probabilities: calibrated, of the first stage, [rows, categories].
        exact: what the exact model says of the rows, int64 [rows].
        truth: category ids, int64 [rows].
        precision: wanted, 0 to 1.
        loss: share of the rows.
        guarantee: that the precision is kept with 95% confidence.
        cluster: number of each row's product, int64 [rows]; None: each row stands for itself.
    """
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    keep = thresholds_for(probabilities, truth, precision, guarantee=guarantee, cluster=cluster)
    lost = (confidence >= keep[best]) & (best != truth) & (exact == truth)
    surest = np.sort(confidence[lost])[::-1]
    allowed = int(loss * len(truth))
    if len(surest) > allowed:
        # The next figure above it of those that a manifest keeps.
        above = np.floor(round(float(surest[allowed]) * 10**_DIGITS, 3)) + 1
        keep = np.maximum(keep, above / 10**_DIGITS)
    return keep


def _usable(labels: Dataset, exact: Path) -> tuple[Dataset, bool]:
    """Return the rows that the exact model's base had not learned, if they suffice; else all, and so."""
    if not (exact / KNOWN).is_file():
        return labels, False
    new = ~known(labels, str(exact))
    if new.sum() >= LEAST_ROWS or new.all():
        return labels.take(new), False
    return labels, True


def _first_stage(
    first: _Asked,
    last: _Asked,
    rows: Dataset,
    choosing: NDArray[np.bool_],
    precision: float,
    loss: float,
    guarantee: bool,
    learned: bool,
) -> FirstStage:
    truth = rows.categories[choosing]
    temperature = round(fit_temperature(first.logits[choosing], truth), _DIGITS)
    others = last.manifest.temperature
    if not learned:
        others = fit_temperature(last.logits[choosing], truth)
    keep = keep_thresholds(
        softmax(first.logits[choosing], temperature),
        last.logits[choosing].argmax(axis=1),
        truth,
        precision,
        loss,
        guarantee=guarantee,
        cluster=clusters_of(rows.product)[choosing],
    )
    former = first.manifest
    return FirstStage(
        version=former.version,
        family=former.family,
        max_length=former.max_length,
        pad_id=former.pad_id,
        unknown_id=former.unknown_id,
        text_version=former.text_version,
        temperature=temperature,
        scale=round(others / temperature, _DIGITS),
        keep=dict(zip(active_taxonomy().slugs, keep.tolist(), strict=True)),
        training_digest=former.training_digest,
        self_test=former.self_test,
    )


def _manifest(
    exact: Manifest,
    stage: FirstStage,
    rule: ManifestRule,
    measured: Mapping[str, float],
    precision: float,
    guarantee: bool,
) -> Manifest:
    """Return the manifest, as yet without its files and their version."""
    rounded = {name: round(value, _DIGITS) for name, value in measured.items()}
    return exact.model_copy(
        update={
            "family": f"{stage.family}+{exact.family}",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "taxonomy": active_taxonomy().digest,
            "temperature": rule.temperature,
            "thresholds": dict(zip(active_taxonomy().slugs, rule.thresholds, strict=True)),
            "asked_precision": precision,
            "guaranteed": guarantee,
            "promises": promised(rule.promises),
            "metrics": rule.metrics | rounded,
            "code_version": version("reviews-stream"),
            "reference": rule.reference,
            "first_stage": stage,
        }
    )


def _write(
    first: _Asked, last: _Asked, manifest: Manifest, held: HeldOut, output: Path
) -> Manifest:
    aside = output.with_name(f".{output.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        copy_model(last.folder, aside, but=(MANIFEST, _CARD))
        shutil.copyfile(first.folder / CPU_GRAPH, aside / FIRST_GRAPH)
        shutil.copyfile(first.folder / TOKENIZER, aside / FIRST_TOKENIZER)
        if (first.folder / _RUN).is_file():
            shutil.copyfile(first.folder / _RUN, aside / f"first.{_RUN}")
        card = cascade_card(manifest, held, first.card(), last.card())
        (aside / _CARD).write_text(card, encoding="utf-8")
        written = write_manifest(aside, manifest)
        Classifier.load(aside, device="cpu")
        aside.rename(output)
    finally:  # whatever ended it, a full disk or a person, leaves nothing half-made
        shutil.rmtree(aside, ignore_errors=True)
    return written


def _figures(
    name: str, share: float, logits: NDArray[np.float32], truth: Ids, cpu_ms: float
) -> StageFigures:
    best = np.asarray(logits.argmax(axis=1), dtype=np.int64)
    return StageFigures(name, share, accuracy(truth, best), weighted_f1(truth, best), cpu_ms)
