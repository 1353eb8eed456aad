"""Publishing acts, each exactly once: all that wait are one Kafka transaction (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
)

from stream.errors import BrokerError
from stream.exactly_once.message import Message
from stream.kafka.clients import observer, transactional_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.stopping import cancel_until_over, stop_producer
from stream.kafka.topics import require_topics
from stream.queue.acts import Act
from stream.queue.errors import NotSaved
from stream.queue.outbox import messages
from stream.settings import Settings

# Acts in one transaction: a bulk decision and a few people's own, well under a second of Kafka.
MOST_ACTS: Final = 250
# A person waits in front of the page; after the second failure they are told.
_TRIES: Final = 2
_CLOSE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a judgement stands on Kafka."""

    tp: TopicPartition
    offset: int

    @property
    def partition_name(self) -> str:
        """``topic:partition``, as positions are kept by."""
        return f"{self.tp.topic}:{self.tp.partition}"


class _InDoubt(Exception):
    """The transaction's outcome is unknown. ``sent``: where its records stand, if they do."""

    def __init__(self, sent: list[Place]) -> None:
        super().__init__()
        self.sent = sent


@dataclass(slots=True)
class _Waiting:
    acts: Sequence[Act]
    done: asyncio.Future[list[Place]]


class DecisionPublisher:
    """The one producer of a queue server.

    Its transactional id is the server's name: a server that starts again under the same name
    settles what its former self left open, and shuts it out.

    Args:
        settings: connection, topics, the server's name.
        role: tells apart what runs under one name, e.g. the server and an import.
    """

    def __init__(self, settings: Settings, role: str = "server") -> None:
        self._settings = settings
        self._topics = settings.topic_names
        self.transactional_id = f"{settings.topics.prefix}.queue.{settings.queue.name}.{role}"
        self._timeout = settings.queue.transaction_timeout_ms / 1000
        self._producer: Any = None
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerError: no broker answers, or it refuses us.
            TopicMissing: a topic that decisions go to does not exist.
        """
        names = self._topics
        try:
            self._producer = await self._new_producer()
            present = set((await self._producer.client.fetch_all_metadata()).topics())
            require_topics([names.labels, names.judgements, *names.categories], present)
        except (KafkaError, TimeoutError) as error:
            await self._discard()
            raise unreachable(self._settings.kafka, error) from None
        except BrokerError:
            await self._discard()
            raise
        self._task = asyncio.create_task(self._run(), name="decision publisher")

    async def stop(self) -> None:
        """Finish what is under way, if Kafka takes it soon, and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        while not self._waiting.empty():
            self._refuse(self._waiting.get_nowait(), _not_saved())
        await self._discard()

    async def publish(self, acts: Sequence[Act]) -> list[Place]:
        """Publish acts in one transaction, together with whatever else waits.

        Returns:
            Where each act's judgement stands.

        Raises:
            NotSaved: Kafka did not take them. Nothing was published.
        """
        done: asyncio.Future[list[Place]] = asyncio.get_running_loop().create_future()
        await self._waiting.put(_Waiting(acts, done))
        return await done

    async def _run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while not self._waiting.empty() and sum(len(w.acts) for w in group) < MOST_ACTS:
                group.append(self._waiting.get_nowait())
            acts = [act for waiting in group for act in waiting.acts]
            committing = asyncio.create_task(self._commit(acts), name="decisions")
            try:
                await asyncio.wait([committing])
            finally:
                if not committing.done():  # we are to end
                    await asyncio.wait([committing], timeout=_CLOSE_SECONDS)
                    await cancel_until_over([committing])
                self._answer(group, committing)

    def _answer(self, group: Sequence[_Waiting], committed: asyncio.Task[list[Place]]) -> None:
        error = _not_known() if committed.cancelled() else committed.exception()
        if error is not None:
            for waiting in group:
                self._refuse(waiting, error)
            if not isinstance(error, NotSaved):
                raise error
            return
        places = committed.result()
        for waiting in group:
            its, places = places[: len(waiting.acts)], places[len(waiting.acts) :]
            if not waiting.done.done():
                waiting.done.set_result(its)

    def _refuse(self, waiting: _Waiting, error: BaseException) -> None:
        if not waiting.done.done():
            waiting.done.set_exception(error)

    async def _commit(self, acts: Sequence[Act]) -> list[Place]:
        for _ in range(_TRIES):
            try:
                return await self._transaction(acts)
            except _InDoubt as doubt:
                try:
                    await self._renew()
                    if doubt.sent and await self._is_committed(doubt.sent[0]):
                        return doubt.sent
                except (BrokerError, KafkaError, TimeoutError, OSError) as error:
                    _log.warning("decision_in_doubt", error=repr(error))
        raise _not_saved()

    async def _transaction(self, acts: Sequence[Act]) -> list[Place]:
        sent: list[Place] = []
        try:
            async with asyncio.timeout(self._timeout):
                if self._producer is None:
                    self._producer = await self._new_producer()
                await self._producer.begin_transaction()
                deliveries = [
                    [await self._send(act, message) for message in messages(act, self._topics)]
                    for act in acts
                ]
                for first, *others in deliveries:
                    record = await first
                    tp = TopicPartition(record.topic, record.partition)
                    sent.append(Place(tp, record.offset))
                    await asyncio.gather(*others)
                await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            _log.error("decision_fenced", transactional_id=self.transactional_id)
            await self._discard()
            raise NotSaved(
                "another queue server uses this one's name",
                "give each its own REVIEWS_QUEUE__NAME",
            ) from error
        except MessageSizeTooLargeError as error:
            _log.error("decision_too_large", error=repr(error))
            await self._discard()
            raise NotSaved(
                "the review is larger than the topics take that decisions go to; nothing was "
                "published",
                f"raise max.message.bytes of {self._topics.labels} and the category topics",
            ) from error
        except (KafkaError, BrokerError, TimeoutError, OSError) as error:
            _log.warning("decision_transaction_failed", error=repr(error))
            raise _InDoubt(sent if len(sent) == len(acts) else []) from error
        return sent

    async def _send(self, act: Act, message: Message) -> Any:
        count = len(await self._producer.partitions_for(message.topic))
        return await self._producer.send(
            message.topic,
            key=message.key,
            value=message.value,
            headers=message.headers,
            partition=act.task.source.partition % count,
        )

    async def _renew(self) -> None:
        """Take a new producer with the same id: initialising it settles the old transaction."""
        await self._discard()
        self._producer = await self._new_producer()

    async def _is_committed(self, place: Place) -> bool:
        """Look whether a record of a settled transaction can be read."""
        consumer = observer(self._settings.kafka)
        async with asyncio.timeout(self._timeout):
            await start(consumer, self._settings.kafka)
            try:
                consumer.assign([place.tp])
                consumer.seek(place.tp, place.offset)
                end = (await consumer.end_offsets([place.tp]))[place.tp]
                while await consumer.position(place.tp) < end:
                    found = await consumer.getmany(place.tp, timeout_ms=200)
                    for record in found.get(place.tp, []):
                        return bool(record.offset == place.offset)
            finally:
                await consumer.stop()
        return False

    async def _new_producer(self) -> Any:
        producer = transactional_producer(
            self._settings.kafka,
            self.transactional_id,
            self._settings.queue.transaction_timeout_ms,
        )
        async with asyncio.timeout(self._timeout):
            await start(producer, self._settings.kafka)
        return producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop_producer(producer, _CLOSE_SECONDS)


def _not_saved() -> NotSaved:
    return NotSaved(
        "Kafka did not take the decision; nothing was published",
        "try again; if it stays so, `reviews doctor` says more",
    )


def _not_known() -> NotSaved:
    return NotSaved(
        "the queue ends, and Kafka has not said whether it took the decision",
        "look at the review again once the queue is back",
    )
