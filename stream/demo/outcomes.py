"""What became of each review, and the sums over it that the demo shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from schemas import (
    BatchSummary,
    CategorizedReview,
    Category,
    DeadLetterReason,
    RelabelTask,
    SourcePosition,
    TopicNames,
    decode,
)

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

Route = Literal["category", "relabel", "dead-letter"]

SAMPLES: Final = 3
"""Events kept for each category to show at the end."""


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """Where one input event ended."""

    route: Route
    source: SourcePosition
    review_id: str = ""
    text: str = ""
    category: Category | None = None
    """The decision, or the best guess on the way to relabelling."""
    confidence: float = 0.0


class OutcomeParser:
    """Turns a message of any output topic into an :class:`EventOutcome`.

    One of the batches topic becomes a :class:`~schemas.BatchSummary`.

    Args:
        topics: the names in force.
    """

    def __init__(self, topics: TopicNames) -> None:
        self._topics = topics

    def __call__(self, record: ConsumerRecord) -> EventOutcome | BatchSummary:
        """Parse one message.

        Raises:
            ContractError: the message is not what its topic holds.
            KeyError: a dead letter lacks its headers.
        """
        if record.topic == self._topics.batches:
            return decode(BatchSummary, record.value)
        if record.topic == self._topics.dead_letter:
            return EventOutcome("dead-letter", DeadLetterReason.from_headers(record.headers).source)
        if record.topic == self._topics.relabel:
            return _waiting(decode(RelabelTask, record.value))
        return _decided(decode(CategorizedReview, record.value))


def _decided(event: CategorizedReview) -> EventOutcome:
    if event.source is None:
        raise KeyError("source")  # only the worker's own decisions can be counted against inputs
    review = event.review
    return EventOutcome(
        "category", event.source, review.review_id, review.text, event.category, event.confidence
    )


def _waiting(task: RelabelTask) -> EventOutcome:
    best = max(task.probabilities, key=lambda category: task.probabilities[category])
    review = task.review
    return EventOutcome(
        "relabel",
        task.source,
        review.review_id,
        review.text,
        best,
        task.probabilities[best],
    )


@dataclass(slots=True)
class OutcomeTally:
    """Running sums over outcomes."""

    published: Counter[Category] = field(default_factory=Counter)
    confidence: defaultdict[Category, float] = field(default_factory=lambda: defaultdict(float))
    routes: Counter[Route] = field(default_factory=Counter)
    samples: defaultdict[Category, list[EventOutcome]] = field(
        default_factory=lambda: defaultdict(list)
    )
    relabel_samples: list[EventOutcome] = field(default_factory=list)
    cache_hits: int = 0
    model_version: str = ""

    def add(self, event: EventOutcome | BatchSummary) -> None:
        """Count an event."""
        if isinstance(event, BatchSummary):
            self.cache_hits += event.cache_hits
            self.model_version = event.model_version
            return
        self.routes[event.route] += 1
        if event.route == "category" and event.category is not None:
            self.published[event.category] += 1
            self.confidence[event.category] += event.confidence
            if len(self.samples[event.category]) < SAMPLES:
                self.samples[event.category].append(event)
        elif event.route == "relabel" and len(self.relabel_samples) < SAMPLES:
            self.relabel_samples.append(event)

    @property
    def total(self) -> int:
        """Events that ended anywhere."""
        return self.routes.total()

    @property
    def relabel_share(self) -> float:
        """Share of all outcomes that wait for a label; 0 when there are none."""
        return self.routes["relabel"] / self.total if self.total else 0.0

    def mean_confidence(self, category: Category) -> float | None:
        """Return the mean over published events of a category; None when there are none."""
        count = self.published[category]
        return self.confidence[category] / count if count else None


@dataclass(frozen=True, slots=True)
class OutcomeCheck:
    """Input events against outcomes, compared position by position."""

    inputs: int
    outcomes: int
    lost: int
    """Input positions without an outcome."""
    repeated: int
    """Outcomes beyond the first of a position."""
    unknown: int
    """Outcomes of positions that are not among the inputs."""

    @property
    def exactly_once(self) -> bool:
        """Whether every input has exactly one outcome."""
        return not (self.lost or self.repeated or self.unknown)


def compare(inputs: set[SourcePosition], outcomes: Counter[SourcePosition]) -> OutcomeCheck:
    """Compare the positions read from the incoming topic with those that outcomes name."""
    known = outcomes.keys() & inputs
    return OutcomeCheck(
        inputs=len(inputs),
        outcomes=outcomes.total(),
        lost=len(inputs) - len(known),
        repeated=sum(outcomes[position] - 1 for position in known),
        unknown=sum(outcomes[position] for position in outcomes.keys() - known),
    )
