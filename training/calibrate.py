"""Calibrating a finished model to a stream of one's own: some labels, no training.

A model is as sure as it may be on the stream that it was calibrated to. On another one the categories
have other shares, and the same confidence means another precision. With some two hundred labels of the
new stream the temperature, a bias for each category and the thresholds are fitted anew; the weights stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from schemas import active_taxonomy, category_count
from stream.model.classifier import Classifier
from stream.model.folder import MANIFEST, Manifest, write_manifest
from training.data.dataset import Dataset
from training.data.folds import folds_for_measuring
from training.errors import DataError
from training.measures.calibration import (
    Floats,
    confidence_histogram,
    expected_calibration_error,
    fit_temperature,
    softmax,
)
from training.measures.clusters import clusters_of
from training.measures.metrics import Ids, accuracy, weighted_f1
from training.measures.promise import promises
from training.measures.rule import promised, scores, thresholds_for
from training.registry.files import copy_model

LEAST_LABELS: Final = 50
_FOLDS: Final = 5
_CARD: Final = "README.md"
_DIGITS: Final = 4
# Strength of the pull of biases towards none, per label; several are tried by cross-validation.
_PULLS: Final = (0.3, 0.1, 0.03)
_EM_ROUNDS: Final = 200
_FLOOR: Final = 1e-4
SHARES: Final = "shares of the stream"
"""The way that texts without labels are good for."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How logits become probabilities.

    Attributes:
        temperature: that logits are divided by.
        bias: added afterwards, float64 [categories].
    """

    temperature: float
    bias: Floats

    def probabilities(self, logits: NDArray[np.floating]) -> Floats:
        """Return probabilities, float64 [rows, categories]."""
        return softmax(logits.astype(np.float64) / self.temperature + self.bias)


@dataclass(frozen=True, slots=True)
class CalibrationScore:
    """What a way to scale does on labels that it was not fitted to.

    Attributes:
        name: of the way.
        log_loss: nats a label, by cross-validation.
        accuracy: share of labels whose category has the highest probability.
        weighted_f1: of the same.
        calibration_error: expected, with equally full bins.
        precision: of what would be published; None where nothing is.
        coverage: share that would be published.
    """

    name: str
    log_loss: float
    accuracy: float
    weighted_f1: float
    calibration_error: float
    precision: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A model for another stream.

    Attributes:
        manifest: of the new folder.
        scores: of all ways that were tried, the model as it was first.
        chosen: name of the best one.
    """

    manifest: Manifest
    scores: tuple[CalibrationScore, ...]
    chosen: str


Fit = Callable[[NDArray[np.float32], Ids], Scaling]


def calibrate(
    folder: Path,
    labels: Dataset,
    output: Path,
    *,
    unlabelled: Sequence[str] = (),
    precision: float = 0.95,
    guarantee: bool = False,
) -> Calibrated:
    """Write a copy of a model folder whose decisions fit another stream.

    Args:
        folder: of the model; it stays as it is.
        labels: some of the stream's texts, drawn at random, decided by people.
        output: the new folder, which must not exist.
        unlabelled: further normalised texts of the stream: they tell the categories' shares.
        precision: wanted among what is published.
        guarantee: that it is kept with 95% confidence.

    Raises:
        DataError: too few labels, or all of one category.
        ModelError: the folder cannot be used.
    """
    if len(labels) < LEAST_LABELS or len(np.unique(labels.categories)) < 2:  # noqa: PLR2004
        raise DataError(
            f"{len(labels)} labels of {len(np.unique(labels.categories))} categories: too few",
            f"label at least {LEAST_LABELS}, better 200, drawn at random from the stream",
        )
    model = Classifier.load(folder, device="cpu")
    logits = _logits(model, labels.normalized)
    more = _logits(model, unlabelled) if len(unlabelled) else logits
    ways = _ways(model.manifest, more)
    # What a category's goods teach about its bias is to hold for other goods.
    fold = folds_for_measuring(labels, _FOLDS, seed=0)
    scores = tuple(
        _score(name, fit, logits, labels, fold, precision, guarantee=guarantee)
        for name, fit in ways.items()
    )
    chosen = min(scores, key=lambda score: score.log_loss).name
    scaling = ways[chosen](logits, labels.categories)
    manifest = _write(model.manifest, folder, output, scaling, logits, labels, precision, guarantee)
    return Calibrated(manifest, scores, chosen)


def _logits(model: Classifier, texts: Sequence[str]) -> NDArray[np.float32]:
    return model.infer(list(texts)).logits


def _ways(manifest: Manifest, stream: NDArray[np.float32]) -> dict[str, Fit]:
    none = np.zeros(category_count())
    bias = np.array([manifest.bias.get(slug, 0.0) for slug in manifest.categories])
    before = Scaling(manifest.temperature, bias)
    ways: dict[str, Fit] = {
        "as it was": lambda logits, truth: before,  # noqa: ARG005 - nothing is fitted
        "temperature": lambda logits, truth: Scaling(fit_temperature(logits, truth), none),
    }
    if (shares := _training_shares(manifest)) is not None:
        shift = label_shift(before.probabilities(stream), shares)
        ways[SHARES] = lambda logits, truth: Scaling(fit_temperature(logits, truth), bias + shift)
    for pull in _PULLS:
        ways[f"temperature and biases, {pull:g}"] = lambda logits, truth, pull=pull: fit_biases(  # type: ignore[misc]
            logits, truth, pull
        )
    return ways


def _training_shares(manifest: Manifest) -> Floats | None:
    given = manifest.reference.category_share
    shares = np.array([given.get(slug, 0.0) for slug in manifest.categories])
    return np.maximum(shares, _FLOOR) if shares.any() else None


def label_shift(probabilities: Floats, shares: Floats) -> Floats:
    """Return biases for the shares that categories have among texts without labels, float64 [categories].

    Expectation-maximisation (Saerens, Latinne, Decaestecker, Neural Computation 14, 2002), which with
    calibrated probabilities is the maximum of the likelihood (Alexandari, Kundaje, Shrikumar, ICML 2020).

    Args:
        probabilities: calibrated to the former shares, [texts, categories].
        shares: the former ones, [categories].
    """
    former = shares / shares.sum()
    now = former.copy()
    for _ in range(_EM_ROUNDS):
        weighed = probabilities * (now / former)
        weighed /= weighed.sum(axis=1, keepdims=True)
        updated = np.maximum(weighed.mean(axis=0), _FLOOR)
        if np.abs(updated - now).max() < 1e-6:  # noqa: PLR2004 - far below any share
            break
        now = updated / updated.sum()
    bias: Floats = np.log(now) - np.log(former)
    return bias


def fit_biases(logits: NDArray[np.float32], truth: Ids, pull: float) -> Scaling:
    """Fit temperature and biases by log loss (bias-corrected temperature scaling; Alexandari et al.).

    Args:
        logits: float32 [rows, categories].
        truth: category ids, int64 [rows].
        pull: of each bias towards zero, so that a category with two labels does not get a wild one.
    """
    rows = np.arange(len(truth))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        temperature, bias = float(np.exp(parameters[0])), parameters[1:]
        probabilities = Scaling(temperature, bias).probabilities(logits)
        nll = -np.log(probabilities[rows, truth] + 1e-12).mean()
        error = probabilities.copy()
        error[rows, truth] -= 1
        error /= len(truth)
        slope = np.concatenate(
            [[-(error * logits).sum() / temperature], error.sum(axis=0) + pull * bias / 10]
        )
        return float(nll + pull * (bias**2).sum() / 20), slope

    start = np.zeros(1 + category_count())
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return Scaling(float(np.clip(np.exp(found[0]), 0.1, 10.0)), found[1:] - found[1:].mean())


def _score(
    name: str,
    fit: Fit,
    logits: NDArray[np.float32],
    labels: Dataset,
    fold: NDArray[np.int64],
    precision: float,
    *,
    guarantee: bool,
) -> CalibrationScore:
    """Fit on four fifths and measure on the last, five times; thresholds as well."""
    truth, cluster = labels.categories, clusters_of(labels.product)
    probabilities = np.zeros((len(truth), category_count()))
    sure = np.zeros(len(truth), dtype=np.bool_)
    for number in range(_FOLDS):
        out = fold == number
        scaling = fit(logits[~out], truth[~out])
        fitted = scaling.probabilities(logits[~out])
        thresholds = thresholds_for(
            fitted, truth[~out], precision, guarantee=guarantee, cluster=cluster[~out]
        )
        probabilities[out] = scaling.probabilities(logits[out])
        best = probabilities[out].argmax(axis=1)
        sure[out] = probabilities[out].max(axis=1) >= thresholds[best]
    best = probabilities.argmax(axis=1)
    return CalibrationScore(
        name=name,
        log_loss=float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-12).mean()),
        accuracy=accuracy(truth, best),
        weighted_f1=weighted_f1(truth, best),
        calibration_error=expected_calibration_error(probabilities, truth),
        precision=float((best == truth)[sure].mean()) if sure.any() else None,
        coverage=float(sure.mean()),
    )


def _write(
    former: Manifest,
    folder: Path,
    output: Path,
    scaling: Scaling,
    logits: NDArray[np.float32],
    labels: Dataset,
    precision: float,
    guarantee: bool,
) -> Manifest:
    truth, cluster = labels.categories, clusters_of(labels.product)
    rounded = Scaling(round(scaling.temperature, _DIGITS), np.round(scaling.bias, _DIGITS))
    probabilities = rounded.probabilities(logits)
    thresholds = thresholds_for(
        probabilities, truth, precision, guarantee=guarantee, cluster=cluster
    )
    share = np.bincount(truth, minlength=category_count()) / len(truth)
    slugs = active_taxonomy().slugs
    reference = former.reference.model_copy(
        update={
            "category_share": dict(zip(slugs, np.round(share, _DIGITS).tolist(), strict=True)),
            "confidence_histogram": [
                round(v, _DIGITS) for v in confidence_histogram(probabilities)
            ],
        }
    )
    figures = {
        "held_out_rows": float(len(truth)),
        **dict(scores(probabilities, truth, thresholds)),
    }
    biases = zip(slugs, rounded.bias.tolist(), strict=True)
    manifest = former.model_copy(
        update={
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "taxonomy": active_taxonomy().digest,
            "temperature": rounded.temperature,
            "bias": {slug: value for slug, value in biases if value},
            "thresholds": dict(zip(slugs, thresholds.tolist(), strict=True)),
            "asked_precision": precision,
            "guaranteed": guarantee,
            "promises": promised(promises(probabilities, truth, thresholds, precision, cluster)),
            "metrics": {name: round(value, _DIGITS) for name, value in figures.items()},
            "reference": reference,
        }
    )
    aside = output.with_name(f".{output.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        copy_model(folder, aside, but=(MANIFEST, _CARD))
        (aside / _CARD).write_text(_card(folder, manifest, len(truth)), encoding="utf-8")
        written = write_manifest(aside, manifest)
        Classifier.load(aside, device="cpu")
        aside.rename(output)
    finally:  # whatever ended it, a full disk or a person, leaves nothing half-made
        shutil.rmtree(aside, ignore_errors=True)
    return written


def _card(folder: Path, manifest: Manifest, labels: int) -> str:
    path = folder / _CARD
    former = path.read_text(encoding="utf-8") if path.is_file() else ""
    return (
        f"{former.rstrip()}\n\n## Calibrated again\n\n{manifest.created_at}: temperature "
        f"{manifest.temperature:g}, biases and thresholds are fitted to {labels} labels of another "
        "stream; the weights are those described above. Figures above are of the former stream; those "
        "in `manifest.json` are measured on the same labels that decided, and a little flattered.\n"
    )
