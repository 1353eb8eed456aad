"""Measured precision of what was published, category by category, from audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import ceil, exp, floor, lgamma, log
from typing import Final

from schemas import Category, Label, RelabelTask, active_taxonomy, all_categories
from stream.intervals import wilson
from stream.queue.priority import best_category

_CHANCE: Final = 0.05
_ROUNDING: Final = 1e-6
# Of 2,000 reviews a second for ten years not one is drawn with less; squares of weights stay numbers.
_LEAST_SHARE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Measured:
    """One category's published precision.

    Attributes:
        category: as the model published it; None: of all.
        audited: published reviews that were put to people.
        decided: of them, those that a person gave a category.
        right: of those, the ones that got the published category.
        unclear: those of which people could not tell.
        precision: share that was right, each audit weighted by one over its chance of being one (Hajek's
            ratio); None where nothing was decided.
        expected: share that was to be right by the model's calibrated confidences, of the same audits.
        effective: audits of equal weight that would tell as much (Kish, Survey Sampling, 1965).
        low: lower end of the 95% interval (Wilson, JASA 22, 1927); 0 where nothing was decided.
        high: upper end.
        taken_for: what people said instead, most frequent first.
    """

    category: Category | None
    audited: int
    decided: int
    right: int
    unclear: int
    precision: float | None
    expected: float | None
    effective: float
    low: float
    high: float
    taken_for: tuple[tuple[Category, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """A published review that a person was asked about, and what the person said.

    Attributes:
        category: as the model published it.
        confidence: the model's, calibrated.
        weight: one over the chance of being drawn; None: a worker of an earlier version did not say.
        at: when it was published.
        model: version that published it.
        is_decided: a person has said something, not having seen the answer.
        said: the person's category; None: cannot tell, or nothing was said.
        decided_at: when the person said so.
    """

    category: Category
    confidence: float
    weight: float | None
    at: datetime
    model: str
    is_decided: bool = False
    said: Category | None = None
    decided_at: datetime | None = None

    @classmethod
    def of(cls, task: RelabelTask) -> Audit | None:
        """Return the audit that a question is; None: it is none, or its categories are gone."""
        category = best_category(task.probabilities)
        if task.reason != "audit" or category is None:
            return None
        weight = 1 / max(task.audit_share, _LEAST_SHARE) if task.audit_share else None
        confidence = task.probabilities[category]
        return cls(category, confidence, weight, task.queued_at, task.model_version)

    def answered(self, label: Label | None) -> Audit:
        """Return the audit with what a label that holds says of it."""
        # Decided in bulk with what resembles it, or imported: somebody may have seen the answer.
        unseen = label is not None and label.decided_by == "person" and label.shown_blind
        if label is None or not unseen or label.withdrawn:
            return self
        return replace(self, is_decided=True, said=label.category, decided_at=label.decided_at)


def audits_of(tasks: Iterable[RelabelTask], labels: Mapping[str, Label]) -> list[Audit]:
    """Return all audits among some questions; of one review the last counts.

    Args:
        tasks: questions.
        labels: that hold, by review id; those of people decide an audit.
    """
    asked = {task.review.review_id: task for task in tasks if task.reason == "audit"}
    found = ((review_id, Audit.of(task)) for review_id, task in asked.items())
    return [audit.answered(labels.get(review_id)) for review_id, audit in found if audit]


def measure(audits: Iterable[Audit]) -> list[Measured]:
    """Return precision by category, all categories together last.

    Within a category, and more so over all of them, audits are drawn with different chances: each
    stands for one over its chance.
    """
    every = list(audits)
    known = [audit.weight for audit in every if audit.weight is not None]
    usual = sum(known) / len(known) if known else 1.0
    by_category = grouped(every)
    found = [
        _measured(category, by_category[category], usual)
        for category in all_categories()
        if category in by_category
    ]
    return [*found, _measured(None, every, usual)]


def grouped(audits: Iterable[Audit]) -> dict[Category, list[Audit]]:
    """Return audits by the category that was published, in their order."""
    found: dict[Category, list[Audit]] = {}
    for audit in audits:
        found.setdefault(audit.category, []).append(audit)
    return found


def windows(audits: Iterable[Audit], days: int) -> list[tuple[date, list[Measured]]]:
    """Return precision by windows of so many days, by when reviews were published; the oldest first."""
    parts: dict[int, list[Audit]] = {}
    for audit in audits:
        parts.setdefault(audit.at.toordinal() // days, []).append(audit)
    return [(date.fromordinal(n * days), measure(part)) for n, part in sorted(parts.items())]


def _measured(category: Category | None, audits: Sequence[Audit], usual: float) -> Measured:
    answered = [audit for audit in audits if audit.is_decided]
    decided = [audit for audit in answered if audit.said is not None]
    weights = [audit.weight or usual for audit in decided]
    whole = sum(weights)
    hits = [audit.said == audit.category for audit in decided]
    precision = expected = None
    effective = 0.0
    if whole:
        precision = sum(w for w, hit in zip(weights, hits, strict=True) if hit) / whole
        expected = sum(w * a.confidence for w, a in zip(weights, decided, strict=True)) / whole
        effective = whole**2 / sum(w * w for w in weights)
    low, high = wilson((precision or 0.0) * effective, effective)
    others = Counter(audit.said for audit in decided if category and audit.said != category)
    return Measured(
        category,
        len(audits),
        len(decided),
        sum(hits),
        len(answered) - len(decided),
        precision,
        expected,
        effective,
        low,
        high,
        tuple((said, n) for said, n in others.most_common(3) if said is not None),
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
    return one.precision is not None and is_below(
        one.precision, one.effective, promised, _CHANCE / tested
    )


def is_below(precision: float, effective: float, wanted: float, chance: float = _CHANCE) -> bool:
    """Tell whether so few right answers are too unlikely for a precision (exact binomial test).

    Args:
        precision: that was found.
        effective: answers of equal weight that would tell as much.
        wanted: the precision that it is to be, 0 to 1.
        chance: from which on it is not believed.
    """
    if wanted <= 0:
        return False
    n = floor(effective + _ROUNDING)
    right = ceil(precision * n - _ROUNDING)
    if wanted >= 1:
        return right < n
    ways = (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(right + 1))
    tail = sum(exp(way + k * log(wanted) + (n - k) * log(1 - wanted)) for k, way in enumerate(ways))
    return tail < chance


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
