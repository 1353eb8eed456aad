"""Which categories are held: a fold of the topic of decisions, the same for every reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas import Category, GuardDecision
from stream.guard.sealing import DecisionSeal


@dataclass(frozen=True, slots=True)
class Refused:
    """A decision that does not count, and why not."""

    reason: str
    counted_before: bool = False
    """It is one that did count, delivered again."""


class Holds:
    """All decisions that count, in the order of the topic.

    A decision counts if its seal is right and its number is one above the last of its model and category:
    what is delivered, copied or decided twice changes nothing, and all readers agree. The first decision
    holds, and then the two alternate.

    Args:
        seal: tells whose decisions count.
    """

    def __init__(self, seal: DecisionSeal) -> None:
        self.seal = seal
        self.history: list[GuardDecision] = []
        """Decisions that counted, the oldest first."""
        self.restore(())

    def restore(self, decisions: Iterable[GuardDecision]) -> None:
        """Forget everything, and take in what a durable table holds, in the order of the topic."""
        self._last: dict[tuple[str, str], GuardDecision] = {}
        self._counted: dict[tuple[str, str, int], GuardDecision] = {}
        self.history.clear()
        for decision in decisions:
            self.apply(decision)

    def apply(self, decision: GuardDecision) -> Refused | None:
        """Take a decision in; return why it does not count, if it does not."""
        last = self.last(decision.model_version, decision.category)
        numbered = (decision.model_version, decision.category.slug, decision.number)
        if self._counted.get(numbered) == decision:
            return Refused("it was delivered before", counted_before=True)
        if not self.seal.holds(decision):
            return Refused("its seal is missing or wrong")
        number = last.number if last else 0
        if decision.number != number + 1:
            return Refused(f"its number is {decision.number}, and {number + 1} is next")
        is_held = last is not None and last.action == "held"
        if is_held == (decision.action == "held"):
            return Refused(f"the category is {'held' if is_held else 'not held'} already")
        self._last[decision.model_version, decision.category.slug] = decision
        self._counted[numbered] = decision
        self.history.append(decision)
        return None

    def last(self, model_version: str, category: Category) -> GuardDecision | None:
        """Return the last decision about a category of a model."""
        return self._last.get((model_version, category.slug))

    def held(self, model_version: str) -> frozenset[Category]:
        """Return the categories of a model that are held."""
        return frozenset(
            one.category for one in self.all_held() if one.model_version == model_version
        )

    def all_held(self) -> list[GuardDecision]:
        """Return the decisions by which categories are held now, of all models."""
        return [one for one in self._last.values() if one.action == "held"]

    def of(self, category: Category) -> Iterable[GuardDecision]:
        """Return by which decisions a category is held."""
        return [one for one in self.all_held() if one.category == category]
