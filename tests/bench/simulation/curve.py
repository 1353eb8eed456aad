"""Learning curves: quality against the number of labels, for each order and several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import category_count
from tests.bench.simulation.orders import ORDERS, Choice, near_identical
from training.data.dataset import Dataset, join
from training.fit.config import Progress, TrainConfig, silent
from training.measures.metrics import macro_f1, weighted_f1
from training.train import fit_family


@dataclass(frozen=True, slots=True)
class Point:
    """A model after so many labels."""

    order: str
    seed: int
    labels: int
    weighted_f1: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is replayed.

    Attributes:
        base: every training begins with it; people decided none of it.
        pool: reviews that wait, with the answers that people would give.
        test: on which the models are compared.
        family: that is retrained after each batch.
        batch: labels between two retrainings.
        labels: to give in all.
        seeds: repetitions.
    """

    base: Dataset
    pool: Dataset
    test: Dataset
    family: str = "ngrams"
    batch: int = 25
    labels: int = 500
    seeds: int = 5


def run(simulation: Simulation, progress: Progress = silent) -> list[Point]:
    """Replay all orders. The same seed starts each of them from the same model."""
    group = near_identical(simulation.pool.normalized)
    jobs = [(order, seed) for seed in range(simulation.seeds) for order in ORDERS]
    points: list[Point] = []
    for i, (order, seed) in enumerate(jobs):
        progress("orders and seeds", i, len(jobs))
        points += _replay(simulation, group, order, seed)
    progress("orders and seeds", len(jobs), len(jobs))
    return points


def _replay(simulation: Simulation, group: NDArray[np.int64], order: str, seed: int) -> list[Point]:
    pool, test, random = simulation.pool, simulation.test, np.random.default_rng(seed)
    config = TrainConfig(seed=seed)
    labelled: list[int] = []
    served: dict[int, int] = {}
    points: list[Point] = []
    while True:
        rows = join(simulation.base, pool.take(np.array(labelled, dtype=np.int64)))
        model = fit_family(simulation.family, rows, config)
        found = model.logits(test.normalized).argmax(axis=1)
        points.append(
            Point(
                order,
                seed,
                len(labelled),
                weighted_f1(test.categories, found),
                macro_f1(test.categories, found),
            )
        )
        waiting = np.setdiff1d(np.arange(len(pool)), labelled)
        size = min(simulation.batch, simulation.labels - len(labelled), len(waiting))
        if size <= 0:
            return points
        choice = Choice(
            waiting,
            _probabilities(model.logits(pool.normalized)),
            group,
            frozenset(group[labelled].tolist()),
            served,
            np.bincount(rows.categories, minlength=category_count()) / max(len(rows), 1),
        )
        labelled += ORDERS[order](choice, size, random).tolist()


def mean_curve(points: Sequence[Point], order: str) -> list[tuple[int, float, float, float]]:
    """Return labels, mean, lowest and highest weighted F1 over the seeds, by number of labels."""
    by_labels: dict[int, list[float]] = {}
    for point in points:
        if point.order == order:
            by_labels.setdefault(point.labels, []).append(point.weighted_f1)
    return [(n, sum(f) / len(f), min(f), max(f)) for n, f in sorted(by_labels.items())]


def labels_needed(points: Sequence[Point], order: str, target: float) -> float | None:
    """Return from how many labels on an order's mean curve stays at a target or above it.

    Between two retrainings the curve is taken as straight. None: it does not stay there.

    >>> points = [Point("ours", 0, n, f, f) for n, f in ((0, 0.5), (50, 0.7), (100, 0.9))]
    >>> round(labels_needed(points, "ours", 0.8), 6)
    75.0
    >>> labels_needed(points, "ours", 0.95) is None
    True
    """
    curve = mean_curve(points, order)
    below = [i for i, (_, mean, _, _) in enumerate(curve) if mean < target]
    if not below:
        return float(curve[0][0])
    last = below[-1]
    if last + 1 == len(curve):
        return None
    (before, low, _, _), (after, high, _, _) = curve[last], curve[last + 1]
    return before + (target - low) / (high - low) * (after - before)


def _probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    raised = np.exp(np.asarray(logits, dtype=np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)
