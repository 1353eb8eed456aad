"""What a labeller answers, and the one protocol that all labellers follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas import category_count

Distribution = NDArray[np.float32]
_SUM_TOLERANCE: Final = 1e-3  # float32 sums of nine terms stay far below this

NOT_ASKED: Final = "not asked yet"
"""The reason of a labeller that would answer, had it been asked."""


@dataclass(frozen=True, slots=True)
class Votes:
    """One labeller's answers about some texts, in the order of the texts.

    Attributes:
        probabilities: float32 [texts, categories] by category id. A row sums to one; a row of zeros means
            that the labeller abstains.
        reasons: one line a text, for people.
    """

    probabilities: Distribution
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(self.reasons), category_count()):
            raise ValueError(
                f"{len(self.reasons)} reasons need probabilities of shape "
                f"({len(self.reasons)}, {category_count()}), got {self.probabilities.shape}"
            )
        sums = self.probabilities.sum(axis=1)
        if not np.all((sums == 0) | (np.abs(sums - 1) < _SUM_TOLERANCE)):
            raise ValueError("a row of votes must sum to one, or be all zeros to abstain")

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """Where the labeller says nothing, bool [texts]."""
        return np.asarray(self.probabilities.sum(axis=1) == 0)

    @property
    def choices(self) -> NDArray[np.int64]:
        """Most probable category id by text, int64 [texts]; -1 where it abstains."""
        return np.where(self.abstained, -1, self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the choice, float32 [texts]; 0 where it abstains."""
        return np.asarray(self.probabilities.max(axis=1, initial=0.0), dtype=np.float32)

    def where(self, keep: NDArray[np.bool_]) -> Votes:
        """Return these votes with abstention wherever ``keep`` is false."""
        return Votes(np.where(keep[:, None], self.probabilities, np.float32(0)), self.reasons)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Votes:
        """Return the votes of some rows."""
        return Votes(self.probabilities[rows], tuple(self.reasons[row] for row in rows))

    @classmethod
    def abstention(cls, texts: int, reason: str) -> Votes:
        """Return votes that say nothing about any text, all for one reason."""
        return cls(np.zeros((texts, category_count()), dtype=np.float32), (reason,) * texts)


class Labeller(Protocol):
    """Anything that can vote on texts."""

    @property
    def name(self) -> str:
        """Short name, unique in an ensemble: it keys thresholds and reports."""

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on texts that went through :func:`stream.text.normalize`."""
