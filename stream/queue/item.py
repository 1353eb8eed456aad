"""What lies on the desk: an item with everything that a page or a program shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas import Category, DecidedBy, RelabelTask
from stream.queue.priority import best_category
from stream.text import fingerprint, normalize

Kind = Literal["first", "second", "adjudication"]
"""A first decision; an independent second opinion; a disagreement to be settled."""
Origin = Literal["page", "bulk", "api", "import"]
Order = Literal["informative", "oldest"]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one person said."""

    labeller: str
    category: Category | None
    """None: cannot tell."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The decision that holds for a review now."""

    revision: int
    print: str
    """Fingerprint of the text that was decided."""
    category: Category | None
    decided_by: DecidedBy
    labeller: str
    withdrawn: bool
    note: str = ""
    """What the labeller wrote beside it."""
    blind: bool = False
    """They had not seen the model's guess."""


@dataclass(frozen=True, slots=True)
class Item:
    """A review that waits for a decision, leased to one person."""

    kind: Kind
    task: RelabelTask
    expires: datetime
    blind: bool
    """The model's suggestions are to be kept from the person."""
    folded: int = 0
    """How many near-identical reviews wait behind this one."""
    opinions: tuple[Opinion, ...] = ()
    """The first opinion for a second one (never shown), both for an adjudication."""
    note: str = ""
    """Beside the decision that two people disagree about."""

    @property
    def review_id(self) -> str:
        """The shop's id of the review."""
        return self.task.review.review_id

    @property
    def text(self) -> str:
        """What the shopper wrote."""
        return self.task.review.text

    @property
    def print(self) -> str:
        """Fingerprint of the text: a decision must name the text that it answers."""
        return text_print(self.text)

    @property
    def suggested(self) -> Category | None:
        """The model's best guess."""
        return best_category(self.task.probabilities)

    @property
    def suggestions(self) -> list[tuple[Category, float]]:
        """All categories, the most probable first."""
        return sorted(self.task.probabilities.items(), key=lambda pair: -pair[1])


@dataclass(frozen=True, slots=True)
class DecidedItem:
    """A review on which a decision holds."""

    task: RelabelTask
    standing: Standing
    opinions: tuple[Opinion, ...] = ()
    """Of two people who disagree, or disagreed, about it."""
    disputed: bool = False
    """The disagreement is not settled yet."""


def text_print(text: str) -> str:
    """Return the fingerprint by which texts are compared: of their normalised form."""
    return fingerprint(normalize(text))
