"""The checker: input events against the outcomes that a ``read_committed`` reader sees.

It knows nothing of workers and brokers. Given what was acknowledged, what is on the input topic and
what is on the output topics, it counts what was lost, duplicated, out of order or wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

Position = tuple[int, int]
"""Partition and offset on the input topic; a topic that was deleted and made anew begins at 0 again."""
Places = Mapping[Position, set[str]]
"""Which events had a position: one, unless the topic was made anew."""


DELETED: Final = "deleted"
"""Route of a tombstone."""
_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """What the producer knows of an event of its own."""

    uid: str
    key: str
    number: int
    """Grows with every event of the same key."""
    route: str
    """Where it must end: ``category:<slug>``, ``relabel``, ``dead-letter:<code>``, or nowhere: a
    tombstone says that a review is gone, and nothing is published of it."""


@dataclass(frozen=True, slots=True)
class Input:
    """A record of the input topic."""

    position: Position
    uid: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A committed record of an output topic."""

    topic: str
    partition: int
    offset: int
    uid: str
    route: str
    source: Position | None
    """The input event that it says it answers; None where a pipeline does not say."""


@dataclass(slots=True)
class Verdict:
    """What the checker found. Everything but ``sent`` and ``delivered`` should be zero."""

    sent: int = 0
    """Acknowledged to the producer."""
    delivered: int = 0
    """Of these, how many have at least one outcome."""
    lost: int = 0
    """Acknowledged events, or events on the input topic, without an outcome."""
    duplicated: int = 0
    """Outcomes beyond the first of an event."""
    out_of_order: int = 0
    """Outcomes that follow a later event of the same key in their partition."""
    wrong: int = 0
    """Outcomes other than the event must have, or that name another event as their source."""
    strangers: int = 0
    """Outcomes of events that are not on the input topic."""
    summary_errors: int = 0
    """By how many events the batch summaries differ from the input, both ways added up."""
    examples: list[str] = field(default_factory=list)
    """Some events that were lost or duplicated, and where."""

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return self.faults() == 0 and self.sent == self.delivered

    def faults(self) -> int:
        """Return the sum of all that should be zero."""
        return (
            self.lost
            + self.duplicated
            + self.out_of_order
            + self.wrong
            + self.strangers
            + self.summary_errors
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return asdict(self)


def check(
    sent: Mapping[str, Sent],
    inputs: Iterable[Input],
    outcomes: Iterable[Outcome],
    summed_up: Mapping[int, int] | None = None,
) -> Verdict:
    """Compare what went in with what came out.

    Args:
        sent: acknowledged events by uid.
        inputs: everything that was on the input topic; it may hold events whose acknowledgement was
            lost.
        outcomes: everything committed on the output topics.
        summed_up: how many reviews of each input partition the batch summaries count, if the
            pipeline publishes any.
    """
    positions: defaultdict[Position, set[str]] = defaultdict(set)
    for event in inputs:
        positions[event.position].add(event.uid)
    silent = {uid for uid, event in sent.items() if event.route == DELETED}
    expected = set().union(sent, *positions.values()) - silent
    known = expected | silent
    found = list(outcomes)
    counts = Counter(outcome.uid for outcome in found)
    return Verdict(
        sent=len(sent),
        delivered=sum(uid in counts or uid in silent for uid in sent),
        lost=sum(uid not in counts for uid in expected),
        duplicated=sum(counts[uid] - 1 for uid in counts),
        out_of_order=_inversions(sent, found),
        wrong=sum(_is_wrong(outcome, sent, positions) for outcome in found),
        strangers=sum(uid not in known for uid in counts),
        summary_errors=0 if summed_up is None else _miscounted(summed_up, positions),
        examples=_examples(expected, positions, found, counts),
    )


def _examples(
    expected: set[str],
    positions: Places,
    found: list[Outcome],
    counts: Counter[str],
) -> list[str]:
    places: defaultdict[str, list[Position]] = defaultdict(list)
    for position, uids in positions.items():
        for uid in uids:
            places[uid].append(position)
    lost = [f"{uid} at {places[uid]} has no outcome" for uid in sorted(expected - counts.keys())]
    twice = [
        f"{o.uid} at {places[o.uid]}: {o.route} for {o.source} at {o.partition}@{o.offset}"
        for o in found
        if counts[o.uid] > 1
    ]
    return lost[:_EXAMPLES] + twice[:_EXAMPLES]


def _is_wrong(outcome: Outcome, sent: Mapping[str, Sent], positions: Places) -> bool:
    event = sent.get(outcome.uid)
    if event is not None and event.route != outcome.route:
        return True
    return outcome.source is not None and outcome.uid not in positions.get(outcome.source, ())


def _inversions(sent: Mapping[str, Sent], outcomes: Iterable[Outcome]) -> int:
    """Count outcomes that come after one of a later event with the same key.

    The first outcome of an event counts; its repetitions are duplicates already.
    """
    by_place: defaultdict[tuple[str, int], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_place[outcome.topic, outcome.partition].append(outcome)
    inversions = 0
    for place in by_place.values():
        latest: dict[str, int] = {}
        seen: set[str] = set()
        for outcome in sorted(place, key=lambda o: o.offset):
            event = sent.get(outcome.uid)
            if event is None or outcome.uid in seen:
                continue
            seen.add(outcome.uid)
            inversions += event.number < latest.get(event.key, -1)
            latest[event.key] = max(event.number, latest.get(event.key, -1))
    return inversions


def _miscounted(summed_up: Mapping[int, int], positions: Places) -> int:
    """Return by how much summaries and input differ, summed over the partitions."""
    there: Counter[int] = Counter()
    for (partition, _offset), uids in positions.items():
        there[partition] += len(uids)
    return sum(abs(there[p] - summed_up.get(p, 0)) for p in there.keys() | summed_up.keys())
