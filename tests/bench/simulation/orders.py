"""The orders in which people could be asked; each chooses a batch from what is not labelled yet.

``ours`` is the review queue's order (:mod:`stream.queue.priority`, ``scripts/next.lua``) without
its leases and second opinions: by margin within a category, the categories in turn by the square
root of their backlog, one in ten at random, near-identical texts folded to one.

``corrected`` is a margin on probabilities that are first corrected for the stream's own shares of
categories (Saerens, Latinne, Decaestecker, Neural Computation 14, 2002): a model that was trained
on even categories hesitates where the stream leaves no doubt. No queue asks so yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.queue.similarity import NEAR_IDENTICAL, bands, jaccard, shingles

Ids = NDArray[np.int64]
_AT_RANDOM: Final = 0.1
# Of a category that the training set lacks.
_SMALLEST_SHARE: Final = 1e-6
# The shares stand still to the third digit after about ten.
_ROUNDS: Final = 30


@dataclass(frozen=True, slots=True)
class Choice:
    """What an order may look at.

    Attributes:
        waiting: rows of the pool without a label, int64 [rows].
        probabilities: what the present model says of the whole pool, float [pool, 9].
        group: of near-identical texts, by row of the pool, int64 [pool].
        labelled_groups: groups of which one text has its label.
        served: how many were asked of each category that the model guessed, changed in place.
        trained_on: share of each category in the present model's training set, float [9].
    """

    waiting: Ids
    probabilities: NDArray[np.float64]
    group: Ids
    labelled_groups: frozenset[int]
    served: dict[int, int]
    trained_on: NDArray[np.float64]

    @property
    def margins(self) -> NDArray[np.float64]:
        """Distance between the two best categories of each waiting row."""
        return _margins(self.probabilities[self.waiting])


Order = Callable[[Choice, int, np.random.Generator], Ids]


def at_random(choice: Choice, size: int, random: np.random.Generator) -> Ids:
    """Ask about anything."""
    return random.permutation(choice.waiting)[:size]


def by_margin(choice: Choice, size: int, random: np.random.Generator) -> Ids:
    """Ask where the two best categories are closest; ties at random."""
    shuffled = random.permutation(len(choice.waiting))
    order = shuffled[np.argsort(choice.margins[shuffled], kind="stable")]
    return choice.waiting[order[:size]]


def ours(choice: Choice, size: int, random: np.random.Generator) -> Ids:
    """Ask as the review queue does."""
    margins = dict(zip(choice.waiting.tolist(), choice.margins.tolist(), strict=True))
    guess = choice.probabilities.argmax(axis=1)
    backlog: dict[int, list[int]] = {}
    for row in sorted(margins, key=lambda row: margins[row], reverse=True):
        backlog.setdefault(int(guess[row]), []).append(row)  # the last is the closest call
    seen, chosen, left = set(choice.labelled_groups), list[int](), len(margins)
    repetitions: list[int] = []
    while len(chosen) < size and left:
        category = _turn(backlog, choice.served)
        if random.random() < _AT_RANDOM:
            category = int(random.choice(list(backlog), p=_shares(backlog)))
            rows = backlog[category]
            row = rows.pop(int(random.integers(len(rows))))
        else:
            row = backlog[category].pop()
        left -= 1
        if not backlog[category]:
            del backlog[category]
        if int(choice.group[row]) in seen:
            repetitions.append(row)
            continue
        seen.add(int(choice.group[row]))
        choice.served[category] = choice.served.get(category, 0) + 1
        chosen.append(row)
    return np.array((chosen + repetitions)[:size], dtype=np.int64)


def by_corrected_margin(choice: Choice, size: int, random: np.random.Generator) -> Ids:
    """Ask where the two best are closest once the stream's shares are known; ties at random."""
    shuffled = random.permutation(len(choice.waiting))
    said = choice.probabilities[choice.waiting[shuffled]]
    order = shuffled[np.argsort(_margins(for_stream(said, choice.trained_on)), kind="stable")]
    return choice.waiting[order[:size]]


ORDERS: Final[dict[str, Order]] = {
    "random": at_random,
    "margin": by_margin,
    "ours": ours,
    "corrected": by_corrected_margin,
}


def for_stream(
    probabilities: NDArray[np.float64], trained_on: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return probabilities as of a model that knew the categories' shares in these very rows.

    Args:
        probabilities: of the rows, float [rows, categories].
        trained_on: share of each category in the training set, float [9].

    >>> said = np.array([[0.9, 0.1]] * 8 + [[0.5, 0.5]] * 2)
    >>> bool(for_stream(said, np.array([0.5, 0.5]))[-1, 0] > 0.9)
    True
    """
    before = np.maximum(trained_on, _SMALLEST_SHARE)
    shares, corrected = before, probabilities
    for _ in range(_ROUNDS):
        weighed = probabilities * (shares / before)
        corrected = weighed / weighed.sum(axis=1, keepdims=True)
        shares = corrected.mean(axis=0)
    return np.asarray(corrected, dtype=np.float64)


def near_identical(normalized: Sequence[str]) -> Ids:
    """Give each text the number of the first one that says the same thing, int64 [texts]."""
    parts = [shingles(text) for text in normalized]
    by_band: dict[str, list[int]] = {}
    group = np.arange(len(parts), dtype=np.int64)
    for i, own in enumerate(parts):
        keys = bands(own)
        candidates = sorted({j for key in keys for j in by_band.get(key, [])})
        for j in candidates:
            if jaccard(own, parts[j]) >= NEAR_IDENTICAL:
                group[i] = group[j]
                break
        for key in keys:
            by_band.setdefault(key, []).append(i)
    return group


def _margins(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0], dtype=np.float64)


def _turn(backlog: dict[int, list[int]], served: dict[int, int]) -> int:
    return min(backlog, key=lambda c: ((served.get(c, 0) + 1) / len(backlog[c]) ** 0.5, c))


def _shares(backlog: dict[int, list[int]]) -> NDArray[np.float64]:
    sizes = np.array([len(rows) for rows in backlog.values()], dtype=np.float64)
    return np.asarray(sizes / sizes.sum(), dtype=np.float64)
