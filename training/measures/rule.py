"""The decision rule of a new model: temperature and thresholds from rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import active_taxonomy, all_categories, category_count
from stream.model.folder import Manifest, PromisedPrecision, Reference
from training.measures.calibration import (
    NEVER,
    choose_thresholds,
    confidence_histogram,
    expected_calibration_error,
    fit_temperature,
    published,
    risk_coverage,
    softmax,
)
from training.measures.held_out import HeldOut
from training.measures.metrics import accuracy, macro_f1, weighted_f1
from training.measures.promise import Promise, guaranteed_thresholds, promises

_DIGITS: Final = 4
# Truth of a text of no category, where none means that: no model names it.
_NO_CATEGORY: Final = -1
# With fewer rows of the stream than this, the temperature is fitted to written examples as well.
_ENOUGH: Final = 200
# With fewer rows a figure says nothing: of 29 that are all right, one in ten may be wrong (the rule of
# three), and a temperature is whatever they happen to be.
LEAST_MEASURED: Final = 30
_ROWS: Final = "held_out_rows"
_PRECISION: Final = "published_precision"
_FOREIGN_ROWS: Final = "foreign_rows"
_FOREIGN_PUBLISHED: Final = "foreign_published"


@dataclass(frozen=True, slots=True)
class ManifestRule:
    """What a folder's manifest says of decisions.

    Attributes:
        temperature: that the logits are divided by.
        thresholds: least probability to publish, by category id.
        metrics: scores on the held-out rows, by name.
        reference: what the monitor measures drift against.
        promises: by category id, what the held-out rows say of its published precision.
    """

    temperature: float
    thresholds: tuple[float, ...]
    metrics: dict[str, float]
    reference: Reference
    promises: tuple[Promise, ...]


def thresholds_for(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    precision: float,
    *,
    guarantee: bool,
    cluster: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return thresholds as a manifest keeps them, float64 [categories].

    They are rounded up: what is published was at or above what was judged.

    Args:
        probabilities: calibrated, of held-out rows, [rows, categories].
        truth: their category ids, int64 [rows].
        precision: wanted among what is published.
        guarantee: that it is kept with 95% confidence, category by category.
        cluster: number of each row's product, int64 [rows], for the guarantee; None: each row stands
            for itself.
    """
    if guarantee:
        found = guaranteed_thresholds(probabilities, truth, precision, cluster=cluster)
    else:
        found = choose_thresholds(probabilities, truth, precision)
    thresholds: NDArray[np.float64] = np.ceil(found * 10**_DIGITS)
    return thresholds / 10**_DIGITS


def promised(kept: Sequence[Promise]) -> dict[str, PromisedPrecision]:
    """Return promises by slug, as a manifest keeps them."""
    return {
        slug: PromisedPrecision(
            rows=p.rows,
            published=p.published,
            right=p.right,
            lower=round(p.lower, _DIGITS),
            needed=p.needed,
        )
        for slug, p in zip(active_taxonomy().slugs, kept, strict=True)
    }


def fit_rule(
    held: HeldOut,
    precision: float,
    unknown_share: float,
    *,
    guarantee: bool = False,
    no_bolder_than: Manifest | None = None,
) -> ManifestRule:
    """Fit temperature and thresholds, and measure on the same rows.

    The held-out rows are scored by models that did not see them, but temperature and thresholds are
    fitted to them: precision and coverage are a little flattered. The model card says so.

    Foreign texts count as wrong whatever they are taken for, but for "none of these". They decide the
    thresholds, and what is promised; all other figures are of the rows whose category is known.

    The temperature is that of the stream, where there are enough rows of it: a model that is less right
    about written examples of rare categories would otherwise be made too modest about everything else.
    What the rare categories need is in their thresholds, which all rows decide.

    What so few rows cannot tell is left out: the temperature is then 1, and a figure is absent.

    Args:
        held: labelled rows and their logits.
        precision: wanted among what is published.
        unknown_share: of word pieces that are not in the vocabulary.
        guarantee: that the precision is kept with 95% confidence, category by category.
        no_bolder_than: a model whose temperature is taken, and below whose thresholds none is: for
            rows that flatter, because their labels had been learned.
    """
    truth, stream = held.truth, held.of_the_stream
    warm = stream if stream.sum() >= _ENOUGH else np.ones_like(stream)
    temperature = 1.0
    if no_bolder_than is not None:
        temperature = no_bolder_than.temperature
    elif len(truth) >= LEAST_MEASURED:
        temperature = round(fit_temperature(held.logits[warm], truth[warm]), _DIGITS)
    probabilities = softmax(held.logits, temperature)
    foreign = np.empty((0, category_count()))
    if held.foreign is not None:
        foreign = softmax(held.foreign, temperature)
    none_id = active_taxonomy().none_id
    theirs = np.full(len(foreign), _NO_CATEGORY if none_id is None else none_id)
    cluster = np.append(held.cluster, held.cluster.max() + 1 + np.arange(len(foreign)))
    thresholds = thresholds_for(
        np.concatenate([probabilities, foreign]),
        np.concatenate([truth, theirs]),
        precision,
        guarantee=guarantee,
        cluster=cluster,
    )
    if no_bolder_than is not None:
        least = [no_bolder_than.thresholds[slug] for slug in active_taxonomy().slugs]
        thresholds = np.maximum(thresholds, least)
    seen, true = probabilities[stream], truth[stream]
    best = seen.argmax(axis=1)
    metrics = _counts(held, stream)
    if len(true) >= LEAST_MEASURED:
        every = {"macro_f1_all": macro_f1(truth, probabilities.argmax(axis=1))}
        metrics = dict(scores(seen, true, thresholds)) | every | metrics
    if len(foreign):
        sure = foreign.max(axis=1) >= thresholds[foreign.argmax(axis=1)]
        wrong = sure & (foreign.argmax(axis=1) != theirs)
        metrics |= {
            _FOREIGN_ROWS: float(len(foreign)),
            _FOREIGN_PUBLISHED: float(wrong.mean()),
        }
    share = np.bincount(best, minlength=category_count()) / len(best)
    reference = Reference(
        category_share={c: round(float(share[c.id]), _DIGITS) for c in all_categories()},
        confidence_histogram=[round(value, _DIGITS) for value in confidence_histogram(seen)],
        unknown_token_share=round(unknown_share, _DIGITS),
    )
    rounded = {name: round(value, _DIGITS) for name, value in metrics.items()}
    kept = promises(
        np.concatenate([seen, foreign]),
        np.concatenate([true, theirs]),
        thresholds,
        precision,
        cluster[np.append(stream, np.ones(len(foreign), dtype=np.bool_))],
    )
    return ManifestRule(
        temperature, tuple(float(t) for t in thresholds), rounded, reference, tuple(kept)
    )


def not_said(metrics: Mapping[str, float]) -> list[str]:
    """Return which figures a model has none of, and why, one sentence each; empty if it has all."""
    rows = int(metrics.get(_ROWS, 0))
    if rows < LEAST_MEASURED:
        return [
            (
                f"How good it is cannot be said: {rows} labelled reviews were held out, and figures begin "
                f"at {LEAST_MEASURED}. Its temperature is 1 for the same reason."
            )
        ]
    if _PRECISION not in metrics:
        count = round(rows * metrics.get("published_coverage", 0.0))
        return [
            (
                f"How precise it is among what it publishes cannot be said: {count} of {rows} held-out "
                f"reviews were sure enough to be published, and the figure begins at {LEAST_MEASURED}."
            )
        ]
    return []


def said_of_foreign(metrics: Mapping[str, float]) -> list[str]:
    """Return what a model's figures say, or leave unsaid, of texts that belong to no category.

    Empty where one category means "none of these" and the figures are of it as of any other.
    """
    if rows := int(metrics.get(_FOREIGN_ROWS, 0)):
        share = metrics.get(_FOREIGN_PUBLISHED, 0.0)
        return [
            (
                f"Of {rows} texts whose category was left out of a training, {share:.1%} would be published as "
                "another one; its thresholds were chosen with them."
            )
        ]
    if active_taxonomy().none is not None:
        return []
    return [
        (
            f"No category means “none of these”, and no text that belongs to none of the {category_count()} was "
            "asked about: how many of those would be published is not known, and no promise holds for them. "
            "`reviews train --foreign 0.05` finds it out and chooses thresholds with them."
        )
    ]


def _counts(held: HeldOut, stream: NDArray[np.bool_]) -> dict[str, float]:
    """Return how many rows are measured on, and of what kind."""
    people = np.array([origin.by_person for origin in held.rows.origin], dtype=np.bool_)
    counts = {
        _ROWS: float(stream.sum()),
        "held_out_rows_by_people": float((people & stream).sum()),
    }
    if held.products:
        counts["held_out_products"] = float(held.products)
    if held.known:
        counts["rows_known_to_the_base"] = float(held.known)
    return counts


def scores(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], thresholds: NDArray[np.float64]
) -> Iterator[tuple[str, float]]:
    """Yield a manifest's figures by name; of too few rows that are published, no precision."""
    best = probabilities.argmax(axis=1)
    precise, coverage = published(probabilities, truth, thresholds)
    yield "weighted_f1", weighted_f1(truth, best)
    yield "accuracy", accuracy(truth, best)
    if precise is not None and coverage * len(truth) >= LEAST_MEASURED:
        yield _PRECISION, precise
    yield "published_coverage", coverage
    yield "expected_calibration_error", expected_calibration_error(probabilities, truth)
    yield "risk_coverage_area", risk_coverage(probabilities, truth).area


def said_of_unknown(
    thresholds: Mapping[str, float], promises: Mapping[str, PromisedPrecision]
) -> list[str]:
    """Return of which categories nothing is known though they may be published; empty if there is none.

    Args:
        thresholds: by slug.
        promises: by slug; of a model that keeps none, nothing is said.
    """
    unknown = [
        slug for slug, kept in promises.items() if not kept.published and thresholds[slug] < NEVER
    ]
    if not unknown:
        return []
    return [
        (
            f"Nothing is known of how right it is about {', '.join(unknown)}: no held-out review was taken "
            "for that, surely enough. Label some such reviews."
        )
    ]
