"""Measured precision of what was published, category by category, from audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Final

from schemas import Category, Label, RelabelTask, active_taxonomy, all_categories
from stream.intervals import wilson
from stream.queue.priority import best_category

_CHANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One category's published precision.

    Attributes:
        category: as the model published it; None: of all.
        audited: published reviews that were put to people.
        decided: of them, those that a person gave a category.
        right: of those, the ones that got the published category.
        unclear: those of which people could not tell.
        low: lower end of the 95% interval (Wilson, JASA 22, 1927); 0 where nothing was decided.
        high: upper end.
        taken_for: what people said instead, most frequent first.
    """

    category: Category | None
    audited: int
    decided: int
    right: int
    unclear: int
    low: float
    high: float
    taken_for: tuple[tuple[Category, int], ...] = ()

    @property
    def precision(self) -> float | None:
        """Share that was right; None where nothing was decided."""
        return self.right / self.decided if self.decided else None


def measure(tasks: Iterable[RelabelTask], labels: Mapping[str, Label]) -> list[Measured]:
    """Return precision by category, all categories together last.

    A review is drawn with the same chance whatever it is, so that shares need no weights.

    Args:
        tasks: of audits; of one review the last counts.
        labels: that hold, by review id; those of people decide an audit.
    """
    audits = {task.review.review_id: task for task in tasks if task.reason == "audit"}
    said: dict[Category, list[Category | None]] = {category: [] for category in all_categories()}
    audited: Counter[Category] = Counter()
    for review_id, task in audits.items():
        published = best_category(task.probabilities)
        if published is None:  # the categories that it was about are gone
            continue
        audited[published] += 1
        label = labels.get(review_id)
        # Decided in bulk with what resembles it, or imported: somebody may have seen the answer.
        unseen = label is not None and label.decided_by == "person" and label.shown_blind
        if label is not None and unseen and not label.withdrawn:
            said[published].append(label.category)
    found = [_measured(category, audited[category], said[category]) for category in said]
    every = [(category, answer) for category, answers in said.items() for answer in answers]
    whole = [answer for _, answer in every if answer is not None]
    right = sum(category == answer for category, answer in every)
    low, high = wilson(right, len(whole))
    unclear = len(every) - len(whole)
    return [
        *(one for one in found if one.audited),
        Measured(None, audited.total(), len(whole), right, unclear, low, high),
    ]


def _measured(category: Category, audited: int, answers: list[Category | None]) -> Measured:
    decided = [answer for answer in answers if answer is not None]
    right = sum(answer == category for answer in decided)
    low, high = wilson(right, len(decided))
    others = Counter(answer for answer in decided if answer != category)
    return Measured(
        category,
        audited,
        len(decided),
        right,
        len(answers) - len(decided),
        low,
        high,
        tuple(others.most_common(3)),
    )


def is_broken(one: Measured, promised: float, tested: int = 1) -> bool:
    """Tell whether audits say with 95% confidence that a promise is not kept.

    So few right answers, or fewer, would come by chance in less than one of twenty such samples if the
    promise were kept (exact binomial test). An interval of few answers is too rough for that.

    Args:
        one: a category, or all of them.
        promised: precision.
        tested: categories that are looked at: among fifty one would be unlucky, so that they share the
            error (Bonferroni).
    """
    if not one.decided:
        return False
    n, right = one.decided, one.right
    if promised >= 1:
        return right < n
    ways = (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(right + 1))
    tail = sum(
        exp(way + k * log(promised) + (n - k) * log(1 - promised)) for k, way in enumerate(ways)
    )
    return tail < _CHANCE / tested


def broken(found: Iterable[Measured], promised: float) -> list[Measured]:
    """Return the categories whose promise is not kept, see :func:`is_broken`."""
    every = list(found)
    return [one for one in every if is_broken(one, promised, _tested(one, every))]


def _tested(one: Measured, every: Iterable[Measured]) -> int:
    if one.category is None:
        return 1
    return sum(other.decided > 0 for other in every if other.category is not None)


def title_of(category: Category | None, language: str = "en") -> str:
    """Return how a table names a category, or all of them."""
    return f"all of {active_taxonomy().name}" if category is None else category.info.name(language)
