"""Reading our topics: committed messages only, typed, at least once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Generic, Literal, Self, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas import ContractError
from stream.errors import BrokerError
from stream.kafka.clients import group_reader
from stream.kafka.connection import start, unreachable
from stream.kafka.growth import new_partitions, take_in
from stream.kafka.reading import as_contract_error, unreadable_in
from stream.kafka.topics import partitions_of
from stream.settings import Settings, load_settings

T = TypeVar("T")
Commit = Literal["handled", "manual"]
Start = Literal["earliest", "latest"]

# What a crash of the reader repeats at most, against one request to the broker a second.
COMMIT_EVERY: Final = 1.0
# For the last commit. Whoever has no broker by then reads the last few events again.
CLOSE_SECONDS: Final = 5.0
_POLL_MS: Final = 500
_POLL_RECORDS: Final = 500

_log = structlog.get_logger(__name__)


class TopicReader(Generic[T]):
    """An asynchronous iterator over typed events; the readers for each topic are made of it.

    Args:
        topics: what to read.
        parse: turns a message into an event; may raise ContractError.
        settings: connection and topics.
        group: consumer group. Without one, nothing is committed and every reader starts anew.
        follow: wait for more for ever, or end where the topics ended when the reader started.
        commit: ``handled`` commits an event once the next one is asked for; ``manual`` commits
            only what :meth:`commit` is called for.
        begin: where a group without a committed position starts.
        since: without a group, messages from this time on alone; with a time zone.
        wanted: which messages are parsed and returned at all; the others count as handled.
    """

    def __init__(
        self,
        topics: Iterable[str],
        parse: Callable[[ConsumerRecord], T],
        *,
        settings: Settings | None = None,
        group: str | None = None,
        follow: bool = True,
        commit: Commit = "handled",
        begin: Start = "earliest",
        since: datetime | None = None,
        wanted: Callable[[ConsumerRecord], bool] | None = None,
    ) -> None:
        self._settings = settings or load_settings()
        self._wanted = wanted
        self.topics = tuple(topics)
        self._parse = parse
        self._group = group
        self._follow = follow
        self._commit_mode = commit
        self._begin: Start = begin
        self._since = since
        self._consumer: Any = None
        self._buffer: deque[ConsumerRecord] = deque()
        self._in_hand: ConsumerRecord | None = None
        self._handled: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._committed_at = time.monotonic()
        self.unreadable = 0
        """Messages left out because they are no such event: someone else wrote into the topic."""

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: no broker answers, or it refuses us.
            TopicMissing: a topic does not exist.
        """
        kafka = self._settings.kafka
        partitions = await partitions_of(kafka, *self.topics)
        self._consumer = group_reader(kafka, self._group, self._begin)
        await start(self._consumer, kafka)
        if self._group is None:
            self._consumer.assign(partitions)
            await self._seek_since(partitions)
        else:
            self._consumer.subscribe(list(self.topics), listener=_Listener(self))
        return self

    async def _seek_since(self, partitions: list[TopicPartition]) -> None:
        if self._since is None:
            return
        moment = int(self._since.timestamp() * 1000)
        try:
            found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, moment))
            ends = await self._consumer.end_offsets(partitions)
        except KafkaError as error:
            raise unreachable(self._settings.kafka, error) from None
        for tp in partitions:
            self._consumer.seek(tp, ends[tp] if found[tp] is None else found[tp].offset)

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Commit what was handled and disconnect.

        Leaving normally, by ``break`` too, counts the event in hand as handled. Leaving by an
        exception does not: it will be read again.
        """
        try:
            if self._commit_mode == "handled":
                if failed is None:
                    self._note_handled()
                await self._commit_handled(CLOSE_SECONDS)
        except BrokerError:
            if failed is None:
                raise
        finally:
            await self._consumer.stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """Return the next event.

        Raises:
            BrokerError: the broker is gone while a drain waits for it.
        """
        if self._commit_mode == "handled":
            self._note_handled()
        while True:
            while self._buffer:
                record = self._buffer.popleft()
                if self._wanted is not None and not self._wanted(record):
                    self._pass_over(record)
                    continue
                try:
                    if (unreadable := unreadable_in(record)) is not None:
                        raise as_contract_error(unreadable)
                    event = self._parse(record)
                except (ContractError, KeyError, ValueError) as error:
                    self._leave_out(record, error)
                    continue
                self._in_hand = record
                return event
            await self._commit_if_due()
            if not self._follow and await self._drained():
                raise StopAsyncIteration
            await self._poll()

    @property
    def uncommitted(self) -> bool:
        """Whether the group does not know of all events that were returned: it reads some of them again."""
        return self._group is not None and bool(self._handled or self._in_hand)

    async def commit(self) -> None:
        """Commit every event returned so far, the one in hand included."""
        self._note_handled()
        await self._commit_handled()

    def _note_handled(self) -> None:
        if (record := self._in_hand) is not None:
            self._handled[TopicPartition(record.topic, record.partition)] = record.offset + 1
            self._in_hand = None

    def _leave_out(self, record: ConsumerRecord, error: Exception) -> None:
        if record.value is None and unreadable_in(record) is None:
            # A tombstone: the review of its key was erased.
            self._pass_over(record)
            return
        self.unreadable += 1
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        _log.warning("unreadable_event_left_out", where=where, error=str(error))
        self._pass_over(record)

    def _pass_over(self, record: ConsumerRecord) -> None:
        self._handled[TopicPartition(record.topic, record.partition)] = record.offset + 1

    async def _poll(self) -> None:
        try:
            if self._group is None and self._follow:
                await self._follow_growth()
            found = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
        except KafkaError as error:
            raise unreachable(self._settings.kafka, error) from None
        for records in found.values():
            self._buffer.extend(records)
        if not found and not self._follow:
            # A fetcher waits for a lost broker in silence; a drain must not wait for ever.
            await self._end_offsets()

    async def _follow_growth(self) -> None:
        if added := new_partitions(self._consumer, self.topics):
            await take_in(self._consumer, added)
            _log.info(
                "partitions_added", partitions=[f"{tp.topic}[{tp.partition}]" for tp in added]
            )

    async def _drained(self) -> bool:
        partitions = self._consumer.assignment()
        if not partitions:
            return False  # the group has not assigned anything yet
        if not self._ends.keys() >= partitions:
            self._ends = await self._end_offsets()
        for tp in partitions:
            try:
                position = await self._consumer.position(tp)
            except IllegalStateError:  # a rebalance took it meanwhile
                return False
            if position < self._ends[tp]:
                return False
        return True

    async def _end_offsets(self) -> dict[TopicPartition, int]:
        partitions = list(self._consumer.assignment())
        if not partitions:
            return {}
        try:
            # With read_committed the broker answers with the last stable offset.
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        except KafkaError as error:
            raise unreachable(self._settings.kafka, error) from None
        return ends

    async def _commit_if_due(self) -> None:
        if self._commit_mode == "handled" and (
            time.monotonic() - self._committed_at >= COMMIT_EVERY
        ):
            # Whoever follows waits for a broker that is gone; a drain must not wait for ever.
            patience = self._settings.kafka.request_timeout_ms / 1000
            await self._commit_handled(None if self._follow else patience)

    async def _commit_handled(self, seconds: float | None = None) -> None:
        """Commit; give up after so many seconds, for aiokafka looks for a lost coordinator without end."""
        self._committed_at = time.monotonic()
        if self._group is None or not self._handled:
            return
        offsets, self._handled = self._handled, {}
        known = False
        try:
            async with asyncio.timeout(seconds):
                await self._consumer.commit(offsets)
            known = True
        except (CommitFailedError, IllegalStateError):
            # The group moved on without us: whoever has the partitions now reads these again.
            known = True
            _log.warning("commit_lost_to_rebalance", group=self._group)
        except (KafkaError, TimeoutError) as error:
            raise unreachable(self._settings.kafka, error) from None
        finally:
            if not known:  # cancelled, too: what stops the reader commits once more
                self._handled = offsets | self._handled

    async def _revoked(self, partitions: Iterable[TopicPartition]) -> None:
        revoked = set(partitions)
        try:
            if self._commit_mode == "handled":
                await self._commit_handled()
        finally:
            self._give_away(revoked)

    def _give_away(self, revoked: set[TopicPartition]) -> None:
        self._buffer = deque(
            r for r in self._buffer if TopicPartition(r.topic, r.partition) not in revoked
        )
        if (record := self._in_hand) is not None and (
            TopicPartition(record.topic, record.partition) in revoked
        ):
            self._in_hand = None  # not ours to commit any more
        for tp in revoked:
            self._handled.pop(tp, None)
            self._ends.pop(tp, None)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, reader: TopicReader[Any]) -> None:
        self._reader = reader

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._reader._revoked(revoked)  # noqa: SLF001 - the other half of the same class

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Positions come from the group's committed offsets."""
