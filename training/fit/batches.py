"""Batches of rows of about equal length: padding is work for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Rows are sorted by length within this many batches: enough to save the padding, few enough that
# batches stay mixed.
_POOL_BATCHES: Final = 40


def bucketed_batches(
    lengths: Sequence[int],
    batch_size: int,
    rng: np.random.Generator,
    rows: NDArray[np.int64] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Yield row numbers, each row once, in random order but for similar lengths side by side.

    Args:
        lengths: word pieces of every row.
        batch_size: rows in a batch; the last may be smaller.
        rng: decides the order.
        rows: the rows to go through, possibly repeated; all of them if None.
    """
    order = rng.permutation(np.arange(len(lengths)) if rows is None else rows)
    by_length = np.asarray(lengths)
    batches = []
    for start in range(0, len(order), batch_size * _POOL_BATCHES):
        pool = order[start : start + batch_size * _POOL_BATCHES]
        pool = pool[np.argsort(by_length[pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    for number in rng.permutation(len(batches)):
        yield batches[number]


def by_length(ids: Sequence[Sequence[int]], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield row numbers, each row once, the shortest first: for reading, where order makes no difference.

    Args:
        ids: word pieces of every row.
        size: rows in a batch; the last may be smaller.

    >>> [rows.tolist() for rows in by_length([[2, 7, 3], [2, 3], [2, 5, 7, 3]], 2)]
    [[1, 0], [2]]
    """
    order = np.argsort([len(row) for row in ids], kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return right-padded ids and their mask, int64 [rows, longest].

    >>> pad([[2, 7, 3], [2, 3]], 0)[0].tolist()
    [[2, 7, 3], [2, 3, 0]]
    """
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.full(shape, pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
