"""Reviews of one product resemble each other: together they say less than as many independent ones.

How much they do is the intraclass correlation of being right; how much less they say for it is the design
effect (Kish, "Survey Sampling", 1965). Rows that are divided by it count as independent ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.measures.calibration import Floats


def clusters_of(products: Sequence[str]) -> NDArray[np.int64]:
    """Return a number for each row's product, int64 [rows]; a row of no known product has its own.

    >>> clusters_of(["шторы", "", "шторы", ""]).tolist()
    [0, 1, 0, 2]
    """
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault(name or row, len(numbers)) for row, name in enumerate(products)],
        dtype=np.int64,
    )


def intraclass_correlation(right: NDArray[np.bool_], cluster: NDArray[np.int64]) -> float:
    """Return how alike rows of a cluster are in being right: 0, as rows of others, to 1, all the same.

    The estimator from an analysis of variance (Donner, "A Review of Inference Procedures for the
    Intraclass Correlation Coefficient", 1986). Where no two clusters have several rows nothing is known
    of it: 0.

    Args:
        right: of each row, bool [rows].
        cluster: number of each row's, int64 [rows].
    """
    sizes = np.bincount(cluster)
    counts = np.bincount(cluster, weights=right)
    several = sizes > 1
    size, count = sizes[several].astype(np.float64), counts[several]
    clusters, rows = len(size), size.sum()
    if clusters < 2:  # noqa: PLR2004 - what lies between clusters is unknown
        return 0.0
    share = count / size
    between = (size * (share - count.sum() / rows) ** 2).sum() / (clusters - 1)
    within = (size * share * (1 - share)).sum() / (rows - clusters)
    usual = (rows - (size**2).sum() / rows) / (clusters - 1)
    whole = between + (usual - 1) * within
    return float(np.clip((between - within) / whole, 0, 1)) if whole > 0 else 0.0


def design_effects(cluster: NDArray[np.int64], correlation: float) -> Floats:
    """Return by how much the first one, two, three ... rows say less than as many independent ones.

    Args:
        cluster: number of each row's, in the order in which rows join, int64 [rows].
        correlation: of being right, within clusters.

    Returns:
        float64 [rows], at least 1: rows divided by it are as many as independent ones.
    """
    places = np.arange(len(cluster))
    order = np.argsort(cluster, kind="stable")
    ordered = cluster[order]
    begins = np.append(True, ordered[1:] != ordered[:-1])
    before = np.empty(len(cluster), dtype=np.int64)
    before[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    # The sum of the squared sizes of clusters, over rows: how large the cluster of a row is.
    company = np.cumsum(2 * before + 1) / (places + 1)
    effects: Floats = 1 + (company - 1) * correlation
    return effects


def design_effect(cluster: NDArray[np.int64], correlation: float) -> float:
    """Return the design effect of all these rows together; 1 of none.

    >>> design_effect(np.array([0, 0, 0, 0]), 0.5)
    2.5
    """
    return float(design_effects(cluster, correlation)[-1]) if len(cluster) else 1.0
