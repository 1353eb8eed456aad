"""Which written reviews are kept: those that say what they should, and that nobody has said before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas import Category
from stream.queue.similarity import NEAR_IDENTICAL
from stream.text import normalize
from training.labelling.augment.near import NearTexts
from training.labelling.votes import Labeller, Votes

# From this confidence on a check that names another category turns a candidate down. Below, checks
# err too often: the dictionary alone is right on about half of the marketplace's examples.
_SURE: Final = 0.7
# An evaluation text told in other words must not be trained on either: half of the trigrams.
_RETOLD: Final = 0.5

EVALUATION: Final = "near a review of an evaluation set"
DUPLICATE: Final = "near one that is there already"
UNRECOGNISED: Final = "recognised by no check"


@dataclass(frozen=True, slots=True)
class Sifted:
    """A candidate's fate.

    Attributes:
        text: as it was written.
        agreed: names of the checks that put it into its category.
        dropped: why it is not kept; None if it is.
    """

    text: str
    agreed: tuple[str, ...]
    dropped: str | None = None


class QualityFilter:
    """Checks candidates against labellers, evaluation sets, and what was kept before.

    Args:
        checks: labellers that did not write the candidates.
        evaluation: texts of the evaluation sets.
        present: texts that need not be said again.
    """

    def __init__(
        self, checks: Sequence[Labeller], evaluation: Iterable[str], present: Iterable[str]
    ) -> None:
        self._checks = checks
        self._evaluation = NearTexts(_RETOLD, map(normalize, evaluation))
        self._present = NearTexts(NEAR_IDENTICAL, map(normalize, present))

    def sift(self, texts: Sequence[str], category: Category) -> list[Sifted]:
        """Return the fate of each candidate for a category; what is kept is remembered."""
        normalized = [normalize(text) for text in texts]
        votes = [(check.name, check.label(normalized)) for check in self._checks]
        fates = []
        for row, text in enumerate(texts):
            agreed = tuple(name for name, vote in votes if vote.choices[row] == category.id)
            dropped = self._reason(normalized[row], row, votes, agreed, category)
            if dropped is None:
                self._present.add(normalized[row])
            fates.append(Sifted(text, agreed, dropped))
        return fates

    def _reason(
        self,
        normalized: str,
        row: int,
        votes: Sequence[tuple[str, Votes]],
        agreed: tuple[str, ...],
        category: Category,
    ) -> str | None:
        for name, vote in votes:
            if vote.choices[row] != category.id and vote.confidence[row] >= _SURE:
                return f"another category by the {name}"
        if not agreed:
            return UNRECOGNISED
        if self._evaluation.near(normalized):
            return EVALUATION
        return DUPLICATE if self._present.near(normalized) else None
