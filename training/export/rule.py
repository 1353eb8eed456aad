"""The decision rule of a new model: temperature and thresholds from rows that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from schemas import CATEGORIES
from stream.model_folder import Reference
from training.evaluation.calibration import (
    choose_thresholds,
    confidence_histogram,
    expected_calibration_error,
    fit_temperature,
    published,
    risk_coverage,
    softmax,
)
from training.evaluation.metrics import accuracy, macro_f1, weighted_f1
from training.export.out_of_fold import HeldOut

_DIGITS: Final = 4
# With fewer rows of the stream than this, the temperature is fitted to written examples as well.
_ENOUGH: Final = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """What a folder's manifest says of decisions.

    Attributes:
        temperature: that the logits are divided by.
        thresholds: least probability to publish, by category id.
        metrics: scores on the held-out rows, by name.
        reference: what the monitor measures drift against.
    """

    temperature: float
    thresholds: tuple[float, ...]
    metrics: dict[str, float]
    reference: Reference


def fit_rule(held: HeldOut, precision: float, unknown_share: float) -> Rule:
    """Fit temperature and thresholds, and measure on the same rows.

    The held-out rows are scored by models that did not see them, but temperature and thresholds are
    fitted to them: precision and coverage are a little flattered. The model card says so.

    The temperature is that of the stream, where there are enough rows of it: a model that is less right
    about written examples of rare categories would otherwise be made too modest about everything else.
    What the rare categories need is in their thresholds, which all rows decide.

    Args:
        held: labelled rows and their logits.
        precision: wanted among what is published.
        unknown_share: of word pieces that are not in the vocabulary.
    """
    truth, stream = held.truth, held.of_the_stream
    warm = stream if stream.sum() >= _ENOUGH else np.ones_like(stream)
    temperature = round(fit_temperature(held.logits[warm], truth[warm]), _DIGITS)
    probabilities = softmax(held.logits, temperature)
    # Rounded up: what is published was at or above what was judged.
    thresholds = np.ceil(choose_thresholds(probabilities, truth, precision) * 10**_DIGITS)
    thresholds /= 10**_DIGITS
    seen, true = probabilities[stream], truth[stream]
    best = seen.argmax(axis=1)
    precise, coverage = published(seen, true, thresholds)
    metrics = {
        "weighted_f1": weighted_f1(true, best),
        "macro_f1_all": macro_f1(truth, probabilities.argmax(axis=1)),
        "accuracy": accuracy(true, best),
        "published_precision": precise,
        "published_coverage": coverage,
        "expected_calibration_error": expected_calibration_error(seen, true),
        "risk_coverage_area": risk_coverage(seen, true).area,
        "held_out_rows": float(len(true)),
    }
    if held.known:
        metrics["rows_known_to_the_base"] = float(held.known)
    share = np.bincount(best, minlength=len(CATEGORIES)) / len(best)
    reference = Reference(
        category_share={c: round(float(share[c.id]), _DIGITS) for c in CATEGORIES},
        confidence_histogram=[round(value, _DIGITS) for value in confidence_histogram(seen)],
        unknown_token_share=round(unknown_share, _DIGITS),
    )
    rounded = {name: round(value, _DIGITS) for name, value in metrics.items()}
    return Rule(temperature, tuple(float(t) for t in thresholds), rounded, reference)
