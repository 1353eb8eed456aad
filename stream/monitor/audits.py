"""The monitor's memory of audits: what was published, and what people said of it without seeing that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from schemas import Category, RelabelTask, UnknownCategory
from stream.audit.precision import Audit
from stream.monitor.decisions import Decisions
from stream.monitor.history import Change

# Some 20 MB. People decide a few thousand a week; beyond, the oldest that nobody decided are forgotten.
MOST_AUDITS: Final = 100_000


class Audits:
    """Audits by review, joined with the last word about each.

    As elsewhere, changes are returned for a durable table to keep. An entry says what was asked and
    counts nothing, so that what is delivered again changes nothing.

    Args:
        decisions: the last word about each review.
        most: audits that are kept.
    """

    def __init__(self, decisions: Decisions, most: int = MOST_AUDITS) -> None:
        self._decisions = decisions
        self._most = most
        self.revision = 0
        """Raised by whatever may change the answers."""
        self.restore(())

    def restore(self, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Forget everything and take over what the durable table holds."""
        self._asked: dict[str, tuple[int, Audit]] = {}
        """By review id: the partition that its entry belongs to, and the audit."""
        self.revision += 1
        for key, value in entries:
            partition, _, review_id = key.partition("/")
            if (audit := _from_json(value)) is not None:
                self._asked[review_id] = (int(partition), audit)

    def take(self, partition: int, task: RelabelTask) -> list[Change]:
        """Take a question in, of a partition of its topic; return what must be made durable."""
        if (audit := Audit.of(task)) is None:
            return []
        review_id = task.review.review_id
        former = self._asked.pop(review_id, None)
        self._asked[review_id] = (partition, audit)
        self.revision += 1
        changes = [Change(f"{partition}/{review_id}", _to_json(audit))]
        if former is not None and former[0] != partition:
            return changes  # the other partition's entry is read back before ours, or not at all
        return [*changes, *self._forget(partition)]

    def erase(self, partition: int, review_id: str) -> list[Change]:
        """Forget a review that was erased."""
        if self._asked.pop(review_id, None) is None:
            return []
        self.revision += 1
        return [Change(f"{partition}/{review_id}", None)]

    def heard(self, review_id: str) -> None:
        """Note that there is a word about a review."""
        self.revision += review_id in self._asked

    def all(self) -> Iterator[Audit]:
        """Yield every audit with what people say of it."""
        for review_id, (_, audit) in self._asked.items():
            yield self._answered(review_id, audit)

    def _answered(self, review_id: str, audit: Audit) -> Audit:
        word = self._decisions.word(review_id)
        if word is None or not word["settled"] or not word.get("unseen"):
            return audit
        said = None
        if word["category"] is not None:
            try:
                said = Category(word["category"])
            except UnknownCategory:
                return audit
        at = datetime.fromtimestamp(word["at"], UTC)
        return replace(audit, is_decided=True, said=said, decided_at=at)

    def _forget(self, partition: int) -> Iterator[Change]:
        """Drop the oldest: of this partition, since each is written by its owner alone."""
        if len(self._asked) <= self._most:
            return
        own = [i for i, (owner, _) in self._asked.items() if owner == partition]
        review_id = next((i for i in own if self._decisions.word(i) is None), own[0])
        del self._asked[review_id]
        yield Change(f"{partition}/{review_id}", None)


def _to_json(audit: Audit) -> dict[str, Any]:
    return {
        "category": audit.category.slug,
        "confidence": audit.confidence,
        "weight": audit.weight,
        "at": audit.at.timestamp(),
        "model": audit.model,
    }


def _from_json(value: Mapping[str, Any]) -> Audit | None:
    try:
        category = Category(value["category"])
    except UnknownCategory:  # of a former taxonomy
        return None
    at = datetime.fromtimestamp(value["at"], UTC)
    return Audit(category, value["confidence"], value["weight"], at, value["model"])
