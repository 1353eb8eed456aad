"""A comparison as rows of figures: means over the seeds, with intervals over test rows and seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories
from training.comparison.compare import Run
from training.data.dataset import Dataset
from training.measures.calibration import (
    expected_calibration_error,
    fit_temperature,
    risk_coverage,
    softmax,
)
from training.measures.metrics import (
    Ids,
    Interval,
    category_scores,
    macro_f1,
    weighted_f1,
)

RESAMPLES: Final = 500
# Fewer rows cannot spare a half to fit a temperature on.
_LEAST_ROWS: Final = 4


@dataclass(frozen=True, slots=True)
class TestScore:
    """A candidate's scores on one test set.

    Attributes:
        weighted: F1 by the truth's shares, mean over the seeds, 95% interval over rows and seeds.
        macro: plain mean F1, likewise.
        calibration_error: after a temperature fitted to the other half of the rows, where there are
            enough.
        risk_area: area under the risk-coverage curve.
        by_category: mean F1 of each category that occurs, by slug.
        gap: weighted F1 less the reference's, paired by row and seed.
        macro_gap: macro F1, likewise.
    """

    weighted: Interval
    macro: Interval
    calibration_error: float
    risk_area: float
    by_category: dict[str, float]
    gap: Interval
    macro_gap: Interval


@dataclass(frozen=True, slots=True)
class Line:
    """One candidate's line of the table; times and sizes are means over the seeds."""

    name: str
    seeds: int
    scores: dict[str, TestScore]
    seconds: float
    parameters: int
    megabytes: float
    per_second: float


def lines(
    runs: Sequence[Run], tests: Mapping[str, Dataset], reference: str | None = None
) -> list[Line]:
    """Sum up runs, the best weighted F1 on the first test set first.

    Args:
        runs: of all candidates.
        tests: labelled rows by name.
        reference: the candidate that the others are measured against; the best one if None.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.candidate, []).append(run)
    first = next(iter(tests))
    order = sorted(groups, key=lambda name: -_mean_f1(groups[name], first, tests[first]))
    return [
        Line(
            name,
            len(groups[name]),
            {
                test: _score(groups[name], groups[reference or order[0]], test, rows)
                for test, rows in tests.items()
            },
            float(np.mean([run.seconds for run in groups[name]])),
            groups[name][0].parameters,
            float(np.mean([run.megabytes for run in groups[name]])),
            float(np.mean([run.per_second for run in groups[name]])),
        )
        for name in order
    ]


def mean_probabilities(runs: Sequence[Run], test: str) -> NDArray[np.float64]:
    """Return the seeds' mean probabilities, float64 [rows, categories]."""
    return np.asarray(np.mean([softmax(run.logits[test]) for run in runs], axis=0))


def _mean_f1(runs: Sequence[Run], test: str, rows: Dataset) -> float:
    truth = rows.categories
    return float(np.mean([weighted_f1(truth, run.logits[test].argmax(axis=1)) for run in runs]))


def _score(runs: Sequence[Run], reference: Sequence[Run], test: str, rows: Dataset) -> TestScore:
    truth = rows.categories
    mine = [np.asarray(run.logits[test].argmax(axis=1), dtype=np.int64) for run in runs]
    theirs = [np.asarray(run.logits[test].argmax(axis=1), dtype=np.int64) for run in reference]
    f1 = np.mean([[s.f1 for s in category_scores(truth, p)] for p in mine], axis=0)
    return TestScore(
        _interval(weighted_f1, truth, mine),
        _interval(macro_f1, truth, mine),
        float(np.mean([_calibration_error(run.logits[test], truth) for run in runs])),
        float(np.mean([risk_coverage(softmax(run.logits[test]), truth).area for run in runs])),
        {c.slug: float(f1[c.id]) for c in all_categories() if (truth == c.id).any()},
        _interval(weighted_f1, truth, mine, theirs),
        _interval(macro_f1, truth, mine, theirs),
    )


def _interval(
    score: Callable[[Ids, Ids], float],
    truth: Ids,
    mine: Sequence[Ids],
    other: Sequence[Ids] | None = None,
) -> Interval:
    """Return the mean score over the seeds (less another's) with its interval.

    Rows are drawn again, and seeds too: a gain that hangs on one seed is none. What two candidates
    did with the same seed stays together.
    """

    def value(rows: Ids, seeds: Ids) -> float:
        own = np.mean([score(truth[rows], mine[seed][rows]) for seed in seeds])
        if other is None:
            return float(own)
        theirs = [score(truth[rows], other[seed % len(other)][rows]) for seed in seeds]
        return float(own - np.mean(theirs))

    rng = np.random.default_rng(0)
    found = [
        value(
            rng.integers(0, len(truth), len(truth)),
            np.asarray(rng.integers(0, len(mine), len(mine)), dtype=np.int64),
        )
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(found, [2.5, 97.5])
    observed = value(np.arange(len(truth)), np.arange(len(mine)))
    return Interval(observed, float(low), float(high))


def calibrated(logits: NDArray[np.float32], truth: Ids) -> list[tuple[NDArray[np.float64], Ids]]:
    """Return probabilities and truth of each half of the rows, its temperature from the other half.

    Too few rows to part are one whole, as they are.

    Args:
        logits: of test rows, float32 [rows, categories].
        truth: their category ids, int64 [rows].
    """
    if len(truth) < _LEAST_ROWS:
        return [(softmax(logits), truth)]
    half = np.arange(len(truth)) % 2 == 0
    return [
        (softmax(logits[~fit], fit_temperature(logits[fit], truth[fit])), truth[~fit])
        for fit in (half, ~half)
    ]


def _calibration_error(logits: NDArray[np.float32], truth: Ids) -> float:
    """Return the mean calibration error of the halves."""
    halves = calibrated(logits, truth)
    return float(np.mean([expected_calibration_error(said, true) for said, true in halves]))
