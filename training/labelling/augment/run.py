"""Writing and sifting until each thin category has what it lacks, or nothing new comes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas import Category, all_categories
from stream.text import normalize
from training.data.files import SYNTHETIC, LabelledItem
from training.labelling.augment.quality_filter import QualityFilter
from training.labelling.augment.sources import CandidateSource

# So many requests in a row that bring nothing new: the source has said what it has to say.
_BARREN: Final = 4


@dataclass(frozen=True, slots=True)
class Example:
    """A generated review that is kept."""

    text: str
    category: Category
    source: str
    agreed: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """Return it as it is written to a file: marked by its id and by a field."""
        digest = hashlib.sha256(normalize(self.text).encode()).hexdigest()[:12]
        return {
            "id": f"{SYNTHETIC}{self.category.slug}-{digest}",
            "text": self.text,
            "category": self.category.slug,
            "synthetic": True,
            "source": self.source,
            "checked_by": list(self.agreed),
        }


@dataclass(slots=True)
class CandidateTally:
    """What became of the candidates so far: kept by category, dropped by reason."""

    kept: Counter[Category] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def lacking(
    labelled: Iterable[LabelledItem], wanted: int, only: Iterable[Category] = ()
) -> dict[Category, int]:
    """Return how many reviews each thin category lacks.

    Args:
        labelled: the reviews that there are, generated ones included.
        wanted: reviews a category.
        only: the categories to look at; all if there are none.
    """
    have = Counter(row.category for row in labelled)
    return {c: wanted - have[c] for c in tuple(only) or all_categories() if have[c] < wanted}


def augment(
    wanted: Mapping[Category, int],
    source: CandidateSource,
    quality_filter: QualityFilter,
    tally: CandidateTally,
) -> Iterator[Example]:
    """Yield what is kept, one by one, so that whoever stops loses nothing.

    Args:
        wanted: how many reviews of which category.
        source: writes the candidates.
        quality_filter: judges them.
        tally: is kept up to date.

    Raises:
        BudgetSpent: the source may spend no more.
        LabellerUnavailable: it refuses us altogether.
    """
    for category, count in wanted.items():
        turn = barren = 0
        while tally.kept[category] < count and barren < _BARREN:
            before = tally.kept[category]
            for sifted in quality_filter.sift(source.write(category, source.batch, turn), category):
                if sifted.dropped is not None:
                    tally.dropped[sifted.dropped] += 1
                elif tally.kept[category] < count:
                    tally.kept[category] += 1
                    yield Example(sifted.text, category, source.name, sifted.agreed)
            turn += 1
            barren = 0 if tally.kept[category] > before else barren + 1
