"""The orders in which people could be asked; each chooses a batch from what is not labelled yet.

``ours`` is the review queue's order (:mod:`stream.queue.priority`, ``scripts/next.lua``) without
its leases and second opinions: by margin within a category, the categories in turn by the square
root of their backlog, one in ten at random, near-identical texts folded to one.
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


@dataclass(frozen=True, slots=True)
class Choice:
    """What an order may look at.

    Attributes:
        waiting: rows of the pool without a label, int64 [rows].
        probabilities: what the present model says of the whole pool, float [pool, 9].
        group: of near-identical texts, by row of the pool, int64 [pool].
        labelled_groups: groups of which one text has its label.
        served: how many were asked of each category that the model guessed, changed in place.
    """

    waiting: Ids
    probabilities: NDArray[np.float64]
    group: Ids
    labelled_groups: frozenset[int]
    served: dict[int, int]

    @property
    def margins(self) -> NDArray[np.float64]:
        """Distance between the two best categories of each waiting row."""
        two = np.sort(self.probabilities[self.waiting], axis=1)[:, -2:]
        return np.asarray(two[:, 1] - two[:, 0], dtype=np.float64)


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


ORDERS: Final[dict[str, Order]] = {"random": at_random, "margin": by_margin, "ours": ours}


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


def _turn(backlog: dict[int, list[int]], served: dict[int, int]) -> int:
    return min(backlog, key=lambda c: ((served.get(c, 0) + 1) / len(backlog[c]) ** 0.5, c))


def _shares(backlog: dict[int, list[int]]) -> NDArray[np.float64]:
    sizes = np.array([len(rows) for rows in backlog.values()], dtype=np.float64)
    return np.asarray(sizes / sizes.sum(), dtype=np.float64)
