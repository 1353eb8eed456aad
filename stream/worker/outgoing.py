"""What a worker publishes for classified events of one partition, all in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from schemas import cloud_event, encode
from stream.audit.sampling import AuditSample
from stream.exactly_once.message import Message
from stream.kafka.size_limits import SizeLimits
from stream.privacy import Kind
from stream.settings import Settings
from stream.worker.input_event import InputEvent
from stream.worker.routing import Router
from stream.worker.summary import Timings, summarize


class OutgoingMessages:
    """Makes the messages of a partition batch: outcomes, questions of audits, summaries.

    Args:
        settings: topic names, the worker's name and group, how many audits are drawn.
        redacted: kinds of personal data that are taken out of what is published.
        limits: what topics take; what is larger becomes a dead letter.
        portion: tells which share of the incoming partitions is this worker's now, 0 to 1.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        redacted: Sequence[Kind],
        limits: SizeLimits,
        portion: Callable[[], float],
    ) -> None:
        self._portion = portion
        self._names = settings.topic_names
        self._worker = settings.worker.name
        self._router = Router(
            self._names, settings.worker.group, self._worker, redacted=redacted, limits=limits
        )
        self._sample = AuditSample(settings.audit)
        # A backfill asks nobody.
        self._audits_are_drawn = self._sample.draws and not settings.topics.output_suffix

    def outcomes(self, events: Sequence[InputEvent]) -> Iterator[Message]:
        """Yield where each event goes, then the questions about a sample of what is published.

        What is asked about is marked.

        Args:
            events: classified, of one partition.
        """
        now = datetime.now(UTC)
        for event in events:
            if not event.deleted:
                yield self._router.route(event, now)
        if self._audits_are_drawn:
            yield from self._audits(events, now)

    def summaries(
        self,
        events: Sequence[InputEvent],
        serving: str,
        timings: Timings,
        refused: str | None,
    ) -> Iterator[Message]:
        """Yield a summary for each model that classified some of the events.

        Args:
            events: finished, of one partition, in offset order.
            serving: version of the model that serves: what no model saw is counted as its.
            timings: of the micro-batch that they were part of.
            refused: version of the last model that was refused, if it was to serve.
        """
        by_model: dict[str, list[InputEvent]] = {}
        for event in events:
            version = serving if event.model is None else event.model.version
            by_model.setdefault(version, []).append(event)
        for version, part in by_model.items():
            yield self._summary(part, version, timings, refused)

    def _audits(self, events: Sequence[InputEvent], now: datetime) -> Iterator[Message]:
        portion = self._portion()
        for event in events:
            if not event.sure or event.rejection is not None or event.review is None:
                continue
            chance = self._sample.drawn(event.review.review_id, event.best, portion)
            if chance is None:
                continue
            if (question := self._router.audit(event, chance, now)) is not None:
                event.audited = True
                yield question

    def _summary(
        self, events: Sequence[InputEvent], version: str, timings: Timings, refused: str | None
    ) -> Message:
        summary = summarize(events, self._worker, version, timings, refused)
        event_id = f"{events[0].source}-{summary.last_offset}"
        headers = cloud_event(type(summary), event_id, self._worker, summary.processed_at)
        return Message(self._names.batches, self._worker.encode(), encode(summary), headers)
