"""What became of the relabelled: decisions by the time they were made, and how many still wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from schemas import DecidedBy, Label, precedence
from stream.monitor.bucket import NOTHING_APPLIED
from stream.monitor.history import Change, TimeRules
from stream.text import fingerprint, normalize

Word = dict[str, Any]
"""The last word about a review, as its table keeps it."""


@dataclass(slots=True)
class Decided:
    """Decisions of one partition over a stretch of time, as far as they hold."""

    applied: int = NOTHING_APPLIED
    categories: dict[str, dict[DecidedBy, int]] = field(default_factory=dict)
    """Decisions by category and by who made them."""
    cannot_tell: int = 0
    withdrawn: int = 0

    def note(self, word: Word, sign: int = 1) -> None:
        """Count a decision that holds, or with -1 one that another took the place of."""
        if not word["settled"]:
            self.withdrawn += sign
        elif (slug := word.get("category")) is None:
            self.cannot_tell += sign
        else:
            counts = self.categories.setdefault(slug, {})
            counts[word["by"]] = counts.get(word["by"], 0) + sign

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
    """Which reviews wait, which are decided, and when that was.

    One definition for the monitor, the queue and the topics:

    - **decided**: a review on which a decision holds (:mod:`schemas.standing`), by whomever. Undone and
      corrected decisions do not count, nor does the same review twice.
    - **waiting**: a review whose text on ``reviews.relabel`` no decision answers that holds. Sent
      again, it waits once; changed by its shopper, it waits again.

    As in :class:`~stream.monitor.history.History`, changes are returned for a durable table to
    keep. Three tables: counts by time, the last word about each review, and what was asked.

    Args:
        rules: how time is cut.
        clock: seconds since 1970. Who decided by a clock that runs ahead decided now: a stretch of time in
            the year 2099 would make all others too old to be kept.
    """

    def __init__(self, rules: TimeRules, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock
        self._asked: dict[str, str] = {}
        self.restore((), ())

    def restore(
        self,
        counts: Iterable[tuple[str, Mapping[str, Any]]],
        words: Iterable[tuple[str, Mapping[str, Any]]],
    ) -> None:
        """Forget the decisions and take over what the durable tables hold."""
        self._counts: dict[int, dict[int, Decided]] = {}
        self._words: dict[str, Word] = {review_id: dict(word) for review_id, word in words}
        self._settled = sum(bool(word["settled"]) for word in self._words.values())
        for key, value in counts:
            partition, _, start = key.partition("/")
            self._counts.setdefault(int(start), {})[int(partition)] = Decided.from_json(value)
        self._count_waiting()

    def restore_asked(self, asked: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Forget what was asked and take over what the durable table holds."""
        self._asked = {review_id: entry["print"] for review_id, entry in asked}
        self._count_waiting()

    def ask(self, review_id: str, text: str) -> Change:
        """Note that the model was unsure of a text; return what must be made durable."""
        self._waiting -= self._waits(review_id)
        self._asked[review_id] = fingerprint(normalize(text))
        self._waiting += self._waits(review_id)
        return Change(review_id, {"print": self._asked[review_id]})

    def erase(self, review_id: str) -> Change:
        """Note that a review was erased: nobody is asked about it any more."""
        self._waiting -= self._waits(review_id)
        self._asked.pop(review_id, None)
        return Change(review_id, None)

    def apply(
        self, partition: int, offset: int, label: Label
    ) -> tuple[list[Change], Change | None]:
        """Take a label in; return the changed counts, and the changed word about its review."""
        review_id = label.review_id
        former = self._words.get(review_id)
        known = None if former is None else former.get("precedence")
        is_same = known == precedence(label)
        if former is not None and not is_same and not _holds_over(former, label):
            return [], None
        word = dict(former) if is_same and former else self._word(label, former)
        # Delivered again after a crash: each count knows whether it holds it already.
        changes = self._count(partition, offset, word)
        if is_same:
            return changes, None
        self._waiting -= self._waits(review_id)
        self._settled += word["settled"] - (former["settled"] if former else 0)
        self._words[review_id] = word
        self._waiting += self._waits(review_id)
        return changes, Change(review_id, word)

    @property
    def settled(self) -> int:
        """Reviews on which a decision holds."""
        return self._settled

    @property
    def waiting(self) -> int:
        """Reviews that wait for a decision."""
        return self._waiting

    def word(self, review_id: str) -> Mapping[str, Any] | None:
        """Return the last word about a review; None: nobody has said anything."""
        return self._words.get(review_id)

    def starts(self) -> list[int]:
        """Return where stretches of time begin in which something was decided, in order."""
        return sorted(self._counts)

    def window(self, start: float, end: float) -> Decided:
        """Return the decisions made in ``[start, end)``."""
        total = Decided()
        for begin, parts in self._counts.items():
            if start <= begin < end:
                for part in parts.values():
                    total.add(part)
        return total

    def _word(self, label: Label, former: Word | None) -> Word:
        held = ("start", "category", "by", "settled")
        was = former if former is not None and former["settled"] and "start" in former else None
        at = min(label.decided_at.timestamp(), self._clock())
        return {
            "precedence": precedence(label),
            "settled": not label.withdrawn,
            "print": fingerprint(normalize(label.text)),
            "category": label.category.slug if label.category else None,
            "by": label.decided_by,
            # Decided in bulk with what resembles it, or imported: somebody may have seen the answer.
            "unseen": label.decided_by == "person" and label.shown_blind,
            "at": at,
            "start": self._rules.start_of(at),
            "was": {name: was[name] for name in held} if was is not None else None,
        }

    def _waits(self, review_id: str) -> bool:
        asked, word = self._asked.get(review_id), self._words.get(review_id)
        if asked is None:
            return False
        # A word of a former version does not say to which text; it was the only one nearly always.
        return word is None or not word["settled"] or word.get("print", asked) != asked

    def _count_waiting(self) -> None:
        self._waiting = sum(map(self._waits, self._asked))

    def _count(self, partition: int, offset: int, word: Word) -> list[Change]:
        counted = [(word["start"], word, 1)]
        if (was := word.get("was")) is not None:
            counted.append((was["start"], was, -1))
        changes: list[Change] = []
        stretches = {
            start for start, _, _ in counted if start in self._counts or start == word["start"]
        }
        for start in sorted(stretches):
            part = self._counts.setdefault(start, {}).setdefault(partition, Decided())
            if offset <= part.applied:
                continue
            for at, decision, sign in counted:
                if at == start:
                    part.note(decision, sign)
            part.applied = offset
            changes.append(Change(f"{partition}/{start}", part.to_json()))
        return [*changes, *self._forget_old(partition)] if changes else []

    def _forget_old(self, partition: int) -> Iterable[Change]:
        oldest = max(self._counts) - self._rules.retention
        for start in [s for s in self._counts if s < oldest]:
            if self._counts[start].pop(partition, None) is not None:
                yield Change(f"{partition}/{start}", None)
            if not self._counts[start]:
                del self._counts[start]


def _holds_over(former: Mapping[str, Any], label: Label) -> bool:
    """Tell whether a label is a new last word about its review."""
    known = former.get("precedence")
    if known is None:  # of a former version
        return bool(label.revision > former["revision"])
    return precedence(label) > str(known)
