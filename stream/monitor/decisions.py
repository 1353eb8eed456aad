"""What became of the relabelled: decisions by window, and how many still wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from schemas import DecidedBy, Label, precedence
from stream.monitor.bucket import NOTHING_APPLIED
from stream.monitor.history import Change, TimeRules


@dataclass(slots=True)
class Decided:
    """Decisions of one partition over a stretch of time."""

    applied: int = NOTHING_APPLIED
    categories: dict[str, dict[DecidedBy, int]] = field(default_factory=dict)
    """Decisions by category and by who made them."""
    cannot_tell: int = 0
    withdrawn: int = 0

    def note(self, label: Label) -> None:
        """Count a decision."""
        if label.withdrawn:
            self.withdrawn += 1
        elif label.category is None:
            self.cannot_tell += 1
        else:
            counts = self.categories.setdefault(label.category.slug, {})
            counts[label.decided_by] = counts.get(label.decided_by, 0) + 1

    def add(self, other: Decided) -> None:
        """Take other counts in; ``applied`` stays."""
        self.cannot_tell += other.cannot_tell
        self.withdrawn += other.withdrawn
        for slug, counts in other.categories.items():
            mine = self.categories.setdefault(slug, {})
            for who, count in counts.items():
                mine[who] = mine.get(who, 0) + count

    def by(self, who: DecidedBy) -> int:
        """Return how many somebody decided."""
        return sum(counts.get(who, 0) for counts in self.categories.values())

    def to_json(self) -> dict[str, Any]:
        """Return what a changelog keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` gave."""
        return cls(**value)


class Decisions:
    """Decisions by the time they were made, and which reviews are settled.

    As in :class:`~stream.monitor.history.History`, changes are returned for a durable table to
    keep. Two tables: counts by time, and the last word about each review.

    Args:
        rules: how time is cut.
    """

    def __init__(self, rules: TimeRules) -> None:
        self._rules = rules
        self.restore((), ())

    def restore(
        self,
        counts: Iterable[tuple[str, Mapping[str, Any]]],
        words: Iterable[tuple[str, Mapping[str, Any]]],
    ) -> None:
        """Forget everything and take over what the durable tables hold."""
        self._counts: dict[int, dict[int, Decided]] = {}
        self._words = {review_id: dict(word) for review_id, word in words}
        self._settled = sum(bool(word["settled"]) for word in self._words.values())
        for key, value in counts:
            partition, _, start = key.partition("/")
            self._counts.setdefault(int(start), {})[int(partition)] = Decided.from_json(value)

    def apply(
        self, partition: int, offset: int, label: Label
    ) -> tuple[list[Change], Change | None]:
        """Take a label in; return the changed counts, and the changed word about its review."""
        return self._count(partition, offset, label), self._hear(label)

    @property
    def settled(self) -> int:
        """Reviews that the model was unsure of and that somebody has decided since."""
        return self._settled

    def window(self, start: float, end: float) -> Decided:
        """Return the decisions made in ``[start, end)``."""
        total = Decided()
        for begin, parts in self._counts.items():
            if start <= begin < end:
                for part in parts.values():
                    total.add(part)
        return total

    def _count(self, partition: int, offset: int, label: Label) -> list[Change]:
        start = self._rules.start_of(label.decided_at.timestamp())
        part = self._counts.setdefault(start, {}).setdefault(partition, Decided())
        if offset <= part.applied:
            return []
        part.note(label)
        part.applied = offset
        return [
            Change(f"{partition}/{start}", part.to_json()),
            *self._forget_old(partition),
        ]

    def _forget_old(self, partition: int) -> Iterable[Change]:
        oldest = max(self._counts) - self._rules.retention
        for start in [s for s in self._counts if s < oldest]:
            if self._counts[start].pop(partition, None) is not None:
                yield Change(f"{partition}/{start}", None)
            if not self._counts[start]:
                del self._counts[start]

    def _hear(self, label: Label) -> Change | None:
        if label.model_version is None:
            return None  # a label of something that never waited for one
        former = self._words.get(label.review_id)
        if former is not None and not _holds_over(former, label):
            return None
        word: dict[str, Any] = {"precedence": precedence(label), "settled": not label.withdrawn}
        self._words[label.review_id] = word
        self._settled += word["settled"] - (former["settled"] if former else 0)
        return Change(label.review_id, word)


def _holds_over(former: Mapping[str, Any], label: Label) -> bool:
    """Tell whether a label is a new last word about its review."""
    known = former.get("precedence")
    if known is None:  # of a former version
        return bool(label.revision > former["revision"])
    return precedence(label) > str(known)
