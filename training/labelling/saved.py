"""A fitted cascade on disk: JSON that a person can read, for the relabeller to decide by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas import Category, category_count
from stream.errors import not_written
from training.errors import DataError
from training.labelling.aggregation import Aggregator, AggregatorScore, MajorityVote
from training.labelling.calibration import Calibration
from training.labelling.cascade import Cascade, Combination
from training.labelling.label_model import LabelModel
from training.labelling.pooling import VotePool
from training.labelling.prior import CategoryFate, Fate, Prior

# 2: says when and on what it was fitted. One that does not is not decided by.
_VERSION: Final = 2
LEAST_LABELS: Final = 30
"""Labels of people that an ensemble must be calibrated on to decide in the stream: with fewer, not even a
precision of 90% can be told from any other (no error in 30 rows: below 10%, by the rule of three)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """When and on what an ensemble was fitted.

    Attributes:
        at: when.
        sample: name of the file of people's labels.
        labels: how many of them.
        reviews: how many reviews the run labelled.
        precision: that the thresholds were chosen for, 0 to 1.
    """

    at: datetime
    sample: str
    labels: int
    reviews: int
    precision: float

    def __str__(self) -> str:
        return (
            f"fitted {self.at:%Y-%m-%d %H:%M} UTC on {self.labels} people's labels of {self.sample} "
            f"for {self.precision:.0%} precision"
        )


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A fitted cascade that may decide in the stream.

    Attributes:
        cascade: decides.
        fitted: when and on what.
        version: digest of the file: names it in labels, logs and metrics.
    """

    cascade: Cascade
    fitted: Fitted
    version: str


def save_ensemble(cascade: Cascade, path: Path, fitted: Fitted) -> Ensemble:
    """Write a cascade; a reader never sees half of it.

    Args:
        cascade: as fitted.
        path: the JSON file.
        fitted: when and on what.

    Raises:
        DataError: the file cannot be written.
    """
    fields = {
        "version": _VERSION,
        "fitted": asdict(fitted) | {"at": fitted.at.isoformat()},
        "prior": _prior_fields(cascade.prior),
        "cheap": _combination_fields(cascade.cheap),
        "dear": cascade.expensive and _combination_fields(cascade.expensive),
    }
    text = json.dumps(fields, indent=1, ensure_ascii=False)
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise not_written(path, error, "set REVIEWS_LABEL__ENSEMBLE", DataError) from None
    return Ensemble(cascade, fitted, _digest(text.encode()))


def load_ensemble(path: Path) -> Ensemble:
    """Read an ensemble.

    Raises:
        DataError: it is absent, unreadable, of another version, or too few people's labels speak for
            it.
    """
    remedy = "fit it with `reviews label INPUT --validated FILE --save-ensemble`"
    try:
        text = path.read_bytes()
        fields = json.loads(text)
        if fields["version"] != _VERSION:
            raise DataError(
                f"{path} was written by another version, and does not say on what it was fitted",
                remedy,
            )
        fitted = Fitted(**fields["fitted"] | {"at": datetime.fromisoformat(fields["fitted"]["at"])})
        cascade = Cascade(
            _combination(fields["cheap"]),
            fields["dear"] and _combination(fields["dear"]),
            _prior(fields["prior"]),
        )
    except OSError as error:
        raise DataError(f"the ensemble {path} cannot be read: {error.strerror}", remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is not an ensemble", remedy) from None
    if fitted.labels < LEAST_LABELS:
        raise DataError(f"{path}: {fitted}, {LEAST_LABELS} are needed at least", remedy)
    return Ensemble(cascade, fitted, _digest(text))


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:12]


def _prior_fields(prior: Prior) -> dict[str, Any]:
    fates = [
        {"category": f.category, "fate": f.fate, "validated": f.validated, "voted": f.voted}
        | {"bound": f.bound, "by_order": f.by_order}
        for f in prior.fates
    ]
    return {"shares": prior.shares.tolist(), "fates": fates}


def _prior(fields: Mapping[str, Any]) -> Prior:
    fates = tuple(
        CategoryFate(
            Category(f["category"]),
            Fate(f["fate"]),
            f["validated"],
            f["voted"],
            f["bound"],
            bool(f.get("by_order")),
        )
        for f in fields["fates"]
    )
    return Prior(_array(fields["shares"], category_count()), fates)


def _combination_fields(combination: Combination) -> dict[str, Any]:
    return {
        "names": combination.names,
        "method": combination.method,
        "decides": combination.decides,
        "scores": [
            [s.name, s.accuracy, s.weighted_f1, s.log_loss] for s in combination.scores
        ],
        "aggregator": _aggregator_fields(combination.aggregator),
        "calibrations": [
            {"speaks": c.speaks, "decides": c.decides, "pool": _aggregator_fields(c.pool)}
            for c in combination.calibrations
        ],
    }  # fmt: skip


def _combination(fields: Mapping[str, Any]) -> Combination:
    calibrations = tuple(
        Calibration(_pool(c["pool"]), float(c["speaks"]), float(c["decides"]))
        for c in fields["calibrations"]
    )
    return Combination(
        tuple(fields["names"]),
        calibrations,
        _aggregator(fields["aggregator"]),
        fields["method"],
        float(fields["decides"]),
        tuple(AggregatorScore(*score) for score in fields["scores"]),
    )


def _aggregator_fields(aggregator: Aggregator) -> dict[str, Any]:
    if isinstance(aggregator, MajorityVote):
        return {"kind": "majority", "prior": aggregator.prior.tolist()}
    if isinstance(aggregator, VotePool):
        return {
            "kind": "pool",
            "prior": aggregator.prior.tolist(),
            "meaning": aggregator.meaning.tolist(),
            "weights": aggregator.weights.tolist(),
        }
    if isinstance(aggregator, LabelModel):
        return {
            "kind": "label-model",
            "prior": aggregator.prior.tolist(),
            "confusion": aggregator.confusion.tolist(),
        }
    raise TypeError(f"{type(aggregator).__name__} cannot be saved")


def _aggregator(fields: Mapping[str, Any]) -> Aggregator:
    prior = _array(fields["prior"], category_count())
    if fields["kind"] == "majority":
        return MajorityVote(prior)
    if fields["kind"] == "label-model":
        confusion = _array(fields["confusion"], None, category_count(), category_count() + 1)
        return LabelModel(prior, confusion)
    return _pool(fields)


def _pool(fields: Mapping[str, Any]) -> VotePool:
    meaning = _array(fields["meaning"], None, category_count(), category_count())
    return VotePool(
        _array(fields["prior"], category_count()), meaning, _array(fields["weights"], len(meaning))
    )


def _array(values: Any, *shape: int | None) -> Any:
    array = np.array(values, dtype=np.float64)
    fits = array.ndim == len(shape) and all(
        wanted in {None, size} for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"an array of shape {array.shape} where {shape} is expected")
    return array
