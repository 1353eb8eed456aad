"""What was sold, as evidence: a shop knows the product of a review, and its category is the likeliest.

A text that shows nothing of its product ("arrived in time, thank you") belongs to no category all the
same: what was sold says which category a text would have, not that it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

import numpy as np

from schemas import active_taxonomy, category_count
from stream.categories import why_none
from stream.text import fingerprint, normalize
from training.data.files import UnlabelledReview
from training.labelling.heuristic import HeuristicLabeller
from training.labelling.votes import Distribution, Votes
from training.words.morphology import RUSSIAN, analyse, language, word_pattern

# Calibration replaces these by what the labeller is worth.
_NAMED: Final = 0.95
_SHOWN: Final = 0.85
_NOTHING_SHOWN: Final = 0.85
# What follows one of these says what a thing is for or made of, not what it is: "paint for shoes".
_ATTRIBUTES: Final = {
    RUSSIAN: frozenset({"для", "от", "из", "под", "по", "с", "со", "на", "в", "к"}),
    "en": frozenset({"for", "of", "with", "from", "to", "in", "on"}),
}


class _Answer(NamedTuple):
    """A category's number, None to abstain; why; and how sure it is."""

    category: int | None
    reason: str
    sure: float = 0.0


class SoldLabeller:
    """Votes for the category of what was sold where a text shows something of it, else for none of these.

    It abstains where nobody says what was sold, where no name or rule tells its category, where a text
    speaks of another category, and where it shows nothing and no category means "none of these".
    """

    name = "sold"

    def __init__(
        self, sold: Mapping[str, frozenset[str]], rules: HeuristicLabeller | None = None
    ) -> None:
        """Keep what was sold.

        Args:
            sold: names of products or categories by the fingerprint of a normalised text.
            rules: tell the category of a product's name, and what a text shows; without them only names of
                categories count, and only a text that names its product shows it.
        """
        self._sold = dict(sold)
        self._rules = rules
        self._categories: dict[str, int | None] = {}

    @classmethod
    def of(
        cls, reviews: Iterable[UnlabelledReview], rules: HeuristicLabeller | None = None
    ) -> SoldLabeller:
        """Return the labeller of reviews that say what was sold."""
        found: dict[str, set[str]] = {}
        for review in reviews:
            if review.sold:
                found.setdefault(fingerprint(review.normalized), set()).add(review.sold)
        return cls({text: frozenset(names) for text, names in found.items()}, rules)

    @property
    def names(self) -> list[str]:
        """What was sold, each once, in the order of the alphabet."""
        return sorted({name for sold in self._sold.values() for name in sold})

    def tells_any(self) -> bool:
        """Tell whether a name or rule tells the category of anything that was sold."""
        return any(self._category_of(name) is not None for name in self.names)

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        probabilities = np.zeros((len(texts), category_count()), dtype=np.float32)
        reasons = []
        for row, text in enumerate(texts):
            answer = self._answer(text)
            if answer.category is not None:
                probabilities[row] = _distribution(answer.category, answer.sure)
            reasons.append(answer.reason)
        return Votes(probabilities, tuple(reasons))

    def _answer(self, text: str) -> _Answer:
        names = self._sold.get(fingerprint(text), frozenset())
        if not names:
            return _Answer(None, "nobody says what was sold")
        said = ", ".join(sorted(names))
        categories = {self._category_of(name) for name in names}
        if None in categories:
            several = [name for name in sorted(names) if len(active_taxonomy().called(name)) > 1]
            why = why_none(several[0]) if several else said
            return _Answer(None, f"no name or rule tells the category of what was sold: {why}")
        spoken_of = self._rules.spoken_of(text) if self._rules is not None else frozenset()
        none = active_taxonomy().none_id
        if len(categories) == 1:
            (category,) = categories
            if any(_names(text, name) for name in names):
                return _Answer(category, f"names what was sold: {said}", _NAMED)
            if category in spoken_of or (category == none and not spoken_of):
                return _Answer(category, f"shows what was sold: {said}", _SHOWN)
        if spoken_of:
            return _Answer(None, f"speaks of something else than what was sold: {said}")
        return _Answer(none, f"shows nothing of what was sold: {said}", _NOTHING_SHOWN)

    def _category_of(self, name: str) -> int | None:
        """Return the category that a product's or category's name tells, None if it tells none."""
        if name not in self._categories:
            found = active_taxonomy().find(name)
            number = None if found is None else found.id
            if number is None and self._rules is not None:
                thing = _thing(name)
                spoken_of = self._rules.spoken_of(thing)
                choice = int(self._rules.label([thing]).choices[0])
                number = choice if choice in spoken_of else None
            self._categories[name] = number
        return self._categories[name]


def _thing(sold: str) -> str:
    """Return what a name says that a thing is, without what it is for.

    >>> _thing("Краска для обуви")
    'краска'
    """
    words = word_pattern().findall(normalize(sold))
    ends = _ATTRIBUTES.get(language(), frozenset())
    return " ".join(takewhile(lambda word: word not in ends, words))


def _names(text: str, sold: str) -> bool:
    """Tell whether a text holds a thing of a product's name, in any form."""
    things = [
        analysis.lemmas[0]
        for word in _thing(sold).split()
        if (analysis := analyse(word)).may_name_a_thing
    ]
    return any(
        not set(things).isdisjoint(analyse(word).lemmas) for word in word_pattern().findall(text)
    )


def _distribution(category: int, sure: float) -> Distribution:
    row = np.full(category_count(), (1 - sure) / (category_count() - 1), dtype=np.float32)
    row[category] = sure
    return row
