"""Which categories occur at all: kept, dropped, or sent to people.

A labeller that covers everything finds everything: in a stream of clothes some reviews look like
electronics to it. A category that a random validated sample does not hold is therefore suspect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import Category, all_categories, category_count
from training.labelling.votes import Votes

Matrix = NDArray[np.float64]

# Of a category that n random reviews do not hold, a larger share than 1 - 0.05 ** (1 / n) is ruled
# out at 95% (the "rule of three": about 3 / n).
_MISS: Final = 0.05


class Fate(StrEnum):
    """What becomes of a category."""

    KEPT = "kept"
    DROPPED = "dropped"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class CategoryFate:
    """The verdict on one category, and the numbers behind it."""

    category: Category
    fate: Fate
    validated: int
    """Reviews of it in the validated sample."""
    voted: int
    """Reviews that the most believable labeller to speak of them votes into it."""
    bound: float
    """Largest share in the stream that the sample leaves possible, at 95%."""
    by_order: bool = False
    """A person gave the verdict, whatever the sample holds."""

    @property
    def why(self) -> str:
        """The verdict with its ground, for people."""
        ground = {Fate.DROPPED: " as absent"}.get(self.fate, "")
        return self.fate.value + (" by order" if self.by_order else ground)


@dataclass(frozen=True, slots=True)
class Prior:
    """Shares of the categories, and what becomes of each.

    Attributes:
        shares: float64 [categories], summing to one; zero where dropped.
        fates: one per category, by id.
    """

    shares: Matrix
    fates: tuple[CategoryFate, ...]

    @property
    def to_people(self) -> NDArray[np.bool_]:
        """Categories that only a person may decide on, bool [categories]."""
        return np.array([fate.fate is Fate.PEOPLE for fate in self.fates])

    @property
    def dropped(self) -> list[Category]:
        """Categories that are never given."""
        return [fate.category for fate in self.fates if fate.fate is Fate.DROPPED]


def estimate_prior(
    known: NDArray[np.int64],
    votes: Sequence[Votes] = (),
    wanted: Mapping[Category, Fate] | None = None,
) -> Prior:
    """Estimate the categories' shares from a random validated sample.

    An absent category is dropped, unless more of the stream is voted into it than the sample leaves
    possible: then either the labellers are wrong or the sample is not random, and people decide.

    Args:
        known: categories of the validated reviews, int64 [n], n at least 1.
        votes: the labellers' votes on the whole stream, the most believable first.
        wanted: verdicts that a person has already given; they hold.
    """
    counts = np.bincount(known, minlength=category_count())
    bound = 1 - _MISS ** (1 / len(known))
    voted = _first_votes(votes)
    total = max(len(votes[0]) if votes else 0, 1)
    fates = []
    for category in all_categories():
        i = category.id
        fate = Fate.KEPT
        if not counts[i]:
            fate = Fate.PEOPLE if voted[i] / total > bound else Fate.DROPPED
        fate = (wanted or {}).get(category, fate)
        fates.append(
            CategoryFate(
                category, fate, int(counts[i]), int(voted[i]), bound, category in (wanted or {})
            )
        )
    shares = counts.astype(np.float64)
    for fated in fates:
        if fated.fate is Fate.DROPPED:
            shares[fated.category.id] = 0
        elif not shares[fated.category.id]:
            # Half of what the sample leaves possible, in reviews.
            shares[fated.category.id] = bound * len(known) / 2
    return Prior(shares / shares.sum(), tuple(fates))


def assumed_prior(votes: Sequence[Votes], wanted: Mapping[Category, Fate] | None = None) -> Prior:
    """Return shares guessed from the votes alone: nothing is validated, so nothing is absent."""
    voted = _first_votes(votes)
    fates = tuple(
        CategoryFate(
            c, (wanted or {}).get(c, Fate.KEPT), 0, int(voted[c.id]), 1.0, c in (wanted or {})
        )
        for c in all_categories()
    )
    # One review more in every category: a share of zero could never be voted away from.
    shares = np.where([f.fate is Fate.DROPPED for f in fates], 0.0, voted + 1.0)
    return Prior(shares / shares.sum(), fates)


def _first_votes(votes: Sequence[Votes]) -> NDArray[np.int64]:
    """Count, by category, what the first labeller that does not abstain says of each review."""
    if not votes:
        return np.zeros(category_count(), dtype=np.int64)
    choice = np.full(len(votes[0]), -1, dtype=np.int64)
    for vote in votes:
        choice = np.where(choice < 0, vote.choices, choice)
    return np.bincount(choice[choice >= 0], minlength=category_count())
