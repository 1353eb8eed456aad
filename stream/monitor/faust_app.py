"""The Faust application: topics in, durable tables beside, windows out.

Every table entry belongs to one partition of the topic that it is derived from, and its changelog
is written to that partition. Faust flushes the changelogs before it commits positions, and every
entry knows the last offset that it holds: what is delivered again after a crash counts once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import faust
import structlog
from pydantic import ValidationError

from schemas import (
    BatchSummary,
    CategoryWindow,
    ContractError,
    Event,
    GuardDecision,
    Label,
    ModelAnnouncement,
    RelabelTask,
    TopicNames,
    UnknownCategory,
    cloud_event,
    decode,
    encode,
    review_id_of,
)
from schemas.events import now
from stream.guard.topic import take
from stream.kafka.reading import as_contract_error, unreadable_in
from stream.monitor.broker import (
    CommittedConsumer,
    CommittedTransport,
    FlowControl,
    FlushingProducer,
    broker_urls,
    credentials,
)
from stream.monitor.engine import Engine, Windows
from stream.monitor.history import Change
from stream.settings import Settings

# State and positions are made durable this often; a crash repeats at most so much.
_COMMIT_SECONDS: Final = 1.0
_SESSION_SECONDS: Final = 10.0
# Topics that were new, or a leader that moved, are looked for again this often. Where the group's
# assignment missed one, it is made again then.
_METADATA_MS: Final = 10_000

_log = structlog.get_logger(__name__)


class MonitorApp:
    """Feeds an engine from Kafka and keeps its state there.

    Args:
        settings: connection, topic names, the monitor's name.
        engine: what is fed.
        partitions: partition counts of the topics that :func:`read_topics` names, which must exist:
            Faust ignores a topic that is absent when it starts.
        folder: Faust insists on one, and keeps nothing in it: the state is on Kafka.
    """

    def __init__(
        self, settings: Settings, engine: Engine, partitions: Mapping[str, int], folder: Path
    ) -> None:
        self._engine = engine
        self._names = settings.topic_names
        self._partitions = partitions
        self.restored: set[str] = set()
        """Tables that have been read back."""
        self.faust = _new_app(settings, folder)
        # `reviews.stats` is written through Faust's producer, acknowledged by all replicas.
        self._stats = self._topic(self._names.stats)
        batches, labels, models, relabel, guard = read_topics(self._names)
        self._batches = self._table("batches", partitions[batches], self._batches_restored)
        self._decisions = self._table("decisions", partitions[labels], self._decisions_restored)
        self._words = self._table("words", partitions[labels], self._decisions_restored)
        self._asked = self._table("asked", partitions[relabel], self._asked_restored)
        self._models = self._table("models", partitions[models], self._models_restored)
        self._marks = self._table(
            "marks", partitions[models], self._marks_restored, use_partitioner=True
        )
        self._audits = self._table("audits", partitions[relabel], self._audits_restored)
        self._guard = self._table("guard", partitions[guard], self._guard_restored)
        self.faust.agent(self._topic(batches), name="batches")(self._on_batches)
        self.faust.agent(self._topic(labels), name="labels")(self._on_labels)
        self.faust.agent(self._topic(relabel), name="relabel")(self._on_tasks)
        self.faust.agent(self._topic(models), name="models")(self._on_models)
        self.faust.agent(self._topic(guard), name="guard")(self._on_guard)

    @property
    def ready(self) -> bool:
        """Whether the state has been read back and events are taken in."""
        return len(self.restored) == len(self.faust.tables)

    def read_back(self) -> object:
        """Return something that changes for as long as the state is being read back."""
        if self.ready:
            return None
        recovery = cast("Any", self.faust.tables).recovery
        return len(self.restored), dict(recovery.active_offsets)

    def changelogs(self) -> dict[str, int]:
        """Return the partition count of every topic that keeps the state, by name."""
        return {
            table.changelog_topic_name: table.partitions for table in self.faust.tables.values()
        }

    async def publish(self, windows: Windows) -> None:
        """Publish one window of all categories; a final one is then marked as done."""
        acknowledgements = [await self._send(window) for window in windows.categories]
        for acknowledgement in acknowledgements:
            await acknowledgement
        if windows.final:
            # A table's entry is sent to a partition at once, and Faust does not look whether it
            # knows the topic's partitions yet.
            producer = cast("FlushingProducer", self.faust.producer)
            await producer.learn(self._marks.changelog_topic_name)
            self._marks[windows.kind] = {"until": self._engine.published(windows)}

    async def _send(self, window: CategoryWindow) -> Any:
        start, end = window.window_start.isoformat(), window.window_end.isoformat()
        event_id = f"{window.category}/{start}/{end}"
        headers = cloud_event(CategoryWindow, event_id, window.category, now())
        return await self._stats.send(
            key=window.category.slug.encode(), value=encode(window), headers=dict(headers)
        )

    async def _on_batches(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            if (summary := _read(BatchSummary, event)) is not None:
                message = event.message
                changes = self._engine.apply_batch(message.partition, message.offset, summary)
                _keep(self._batches, changes)
            self._took_in(event)
            yield

    async def _on_labels(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            if (label := _read(Label, event)) is not None:
                message = event.message
                counts, word = self._engine.decisions.apply(
                    message.partition, message.offset, label
                )
                _keep(self._decisions, counts)
                _keep(self._words, [word] if word else [])
                self._engine.audits.heard(label.review_id)
            self._took_in(event)
            yield

    async def _on_guard(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            decision = take(self._engine.holds, event.value, event.message.offset)
            if decision is not None:
                key = next_key(self._guard.keys(), event.message.offset)
                self._guard[key] = decision.model_dump(mode="json")
            self._took_in(event)
            yield

    async def _on_tasks(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            if event.value is None and (review_id := review_id_of(event.key)) is not None:
                _keep(self._asked, [self._engine.decisions.erase(review_id)])
                _keep(self._audits, self._engine.audits.erase(event.message.partition, review_id))
            elif (task := _read(RelabelTask, event)) is not None:
                review = task.review
                _keep(self._asked, [self._engine.decisions.ask(review.review_id, review.text)])
                _keep(self._audits, self._engine.audits.take(event.message.partition, task))
            self._took_in(event)
            yield

    async def _on_models(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            announcement = _read(ModelAnnouncement, event)
            key = f"{event.message.offset:020d}"
            if announcement is not None and key not in self._models:
                self._engine.announcements.apply(announcement)
                self._models[key] = announcement.model_dump(mode="json")
            self._took_in(event)
            yield

    def _took_in(self, event: Any) -> None:
        consumer = cast("CommittedConsumer", self.faust.consumer)
        consumer.positions.took_in(event.message.tp, event.message.offset)

    def _batches_restored(self) -> None:
        topic = self._names.batches
        self._engine.restore_batches(self._batches.items(), range(self._partitions[topic]))

    def _decisions_restored(self) -> None:
        # Called once for either of the two tables; both have been read by then.
        self._engine.decisions.restore(self._decisions.items(), self._words.items())

    def _asked_restored(self) -> None:
        self._engine.decisions.restore_asked(self._asked.items())

    def _models_restored(self) -> None:
        self._engine.announcements.all.clear()
        for _, value in sorted(self._models.items()):
            self._engine.announcements.apply(ModelAnnouncement.model_validate(value))

    def _audits_restored(self) -> None:
        self._engine.audits.restore(self._audits.items())

    def _guard_restored(self) -> None:
        # From the beginning: what was taken in and not made durable is delivered again, and must count.
        self._engine.holds.restore(read_decisions(self._guard.items()))

    def _marks_restored(self) -> None:
        self._engine.marks = {kind: mark["until"] for kind, mark in self._marks.items()}

    def _topic(self, name: str) -> Any:
        return self.faust.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            internal=False,
            allow_empty=True,
        )

    def _table(
        self, name: str, partitions: int, restore: Any, *, use_partitioner: bool = False
    ) -> Any:
        async def restored() -> None:
            try:
                restore()
            except Exception:
                _log.exception("state_not_restored", table=name)
                raise
            self.restored.add(name)

        return self.faust.Table(
            name,
            partitions=partitions,
            on_recover=restored,
            use_partitioner=use_partitioner,
            key_type=str,
        )


def read_topics(names: TopicNames) -> tuple[str, ...]:
    """Return the topics that the monitor follows."""
    return names.batches, names.labels, names.models, names.relabel, names.guard


def next_key(keys: Iterable[str], offset: int) -> str:
    """Return the key of a decision that comes after all that a table holds: its offset, as a rule.

    A topic that was made anew begins at 0 once more, and must not take the place of what was before.

    >>> next_key([], 7), next_key(["00000000000000000007"], 2)
    ('00000000000000000007', '00000000000000000008')
    """
    return f"{max([offset, *(int(key) + 1 for key in keys)]):020d}"


def read_decisions(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[GuardDecision]:
    """Yield the guard's decisions of a durable table, in the topic's order.

    Those about categories that the taxonomy has no more are left out, as on the topic.
    """
    for offset, value in sorted(entries):
        try:
            yield GuardDecision.model_validate(value)
        except (ValidationError, UnknownCategory) as error:
            _log.warning("guard_decision_left_out", offset=int(offset), reason=str(error)[:200])


def _new_app(settings: Settings, folder: Path) -> faust.App:
    monitor, topics = settings.monitor, settings.topics
    app = faust.App(
        f"{topics.prefix}.{monitor.name}",
        broker=broker_urls(settings.kafka),
        broker_credentials=credentials(settings.kafka),
        broker_client_id=f"{topics.prefix}.{monitor.name}",
        broker_commit_interval=_COMMIT_SECONDS,
        broker_session_timeout=_SESSION_SECONDS,
        broker_request_timeout=max(settings.kafka.request_timeout_ms / 1000, _SESSION_SECONDS + 1),
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=_METADATA_MS,
        producer_metadata_max_age_ms=_METADATA_MS,
        store="memory://",
        datadir=folder,
        topic_replication_factor=topics.replication,
        topic_partitions=topics.partitions,
        topic_disable_leader=True,
        reply_create_topic=False,
        web_enabled=False,
        autodiscover=False,
    )
    app.flow_control = FlowControl()
    app.transport = CommittedTransport(app.conf.broker_consumer, app)
    app.producer_transport = CommittedTransport(app.conf.broker_producer, app)
    return app


def _read(event_type: type[Event], event: Any) -> Any:
    """Decode an event; what breaks the contract, or has no value, is left out."""
    if event.value is None:
        return None
    message = event.message
    unreadable = unreadable_in(message)
    try:
        if unreadable is not None:
            raise as_contract_error(unreadable)
        return decode(event_type, event.value)
    except ContractError as error:
        where = f"{message.topic}[{message.partition}]@{message.offset}"
        _log.warning("event_left_out", position=where, code=error.code)
        return None


def _keep(table: Any, changes: Iterable[Change]) -> None:
    for change in changes:
        if change.value is None:
            table.pop(change.key, None)
        else:
            table[change.key] = change.value
