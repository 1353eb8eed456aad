"""aiokafka's consumer, reading fetches by our rules.

Two seams, both in :mod:`stream.kafka.private`, which ``tests/unit/kafka/test_private.py`` holds against
the installed release:

- ``consumer._client.send`` is what its fetcher sends requests with. Ours puts a :class:`_Fetched`
  in the place of a partition's bytes.
- ``aiokafka.consumer.fetcher.MemoryRecords`` is what it reads those bytes with. Ours lets a
  :class:`_Fetched` through; whatever else is read in this process is read as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import SyncGroupRequest

from schemas import ContractError, NotJson, TooLarge
from stream.kafka.private import client_of, read_fetches_with
from stream.kafka.reading.batches import (
    Broken,
    ReadBatch,
    framed,
    is_compressed,
    is_whole,
    passed_over,
    read_batch,
)
from stream.kafka.reading.bounds import Bounds
from stream.kafka.reading.by_id import TopicMeant
from stream.kafka.reading.records import HEADER_BYTES, BatchHeader
from stream.kafka.reading.unreadable import Unreadable, mark_of
from stream.kafka.replies import taking_apart
from stream.kafka.stopping import stop_surely

_log = structlog.get_logger(__name__)


class BoundedConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """An ``AIOKafkaConsumer`` that is bounded and never raises for what a record holds.

    Args:
        topics: that it subscribes to, if any.
        bounds: of what is held and looked at.
        options: of ``AIOKafkaConsumer``.
    """

    def __init__(self, *topics: str, bounds: Bounds | None = None, **options: Any) -> None:
        super().__init__(*topics, **options)
        read_bounded(self, bounds or Bounds())

    async def stop(self) -> None:
        """Leave the group, if it is in one, and close the connections."""
        await stop_surely(self, super().stop())


def read_bounded(consumer: AIOKafkaConsumer, bounds: Bounds) -> None:
    """Let a consumer that somebody else makes read as a :class:`BoundedConsumer` does.

    Args:
        consumer: not started yet.
        bounds: of what is held and looked at.
    """
    client = client_of(consumer)
    reading, send = _Reading(bounds), client.send
    meant = TopicMeant(send)

    async def send_and_read(node: Any, request: Any, *args: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            positions = {
                TopicPartition(topic, partition): offset
                for topic, partitions in request.topics
                for partition, offset, _ in partitions
            }
            reply = await meant.fetch(node, request, *args, **options)
            await reading.read(reply, positions)
            return reply
        reply = await send(node, request, *args, **options)
        if isinstance(request, SyncGroupRequest):
            # Partitions were dealt out: positions are asked for next.
            await meant.learn(node, consumer.subscription())
        return reply

    client.send = send_and_read


def unreadable_in(record: ConsumerRecord) -> Unreadable | None:
    """Return what a record of a :class:`BoundedConsumer` stands for; None: it is what it is."""
    return mark_of(record.headers)


def as_contract_error(unreadable: Unreadable) -> ContractError:
    """Return the error that a reader of events should see instead."""
    error: type[ContractError] = TooLarge if unreadable.code == "too-large" else NotJson
    return error(unreadable.message)


class _Fetched:
    """The batches of one fetch of one partition, with the face of aiokafka's ``MemoryRecords``."""

    def __init__(self, batches: list[ReadBatch]) -> None:
        self._batches = batches
        self._next = 0

    def size_in_bytes(self) -> int:
        """Return whether there is anything; if not, aiokafka fetches again and says nothing."""
        return len(self._batches)

    def has_next(self) -> bool:
        """Tell whether there is another batch."""
        return self._next < len(self._batches)

    def next_batch(self) -> ReadBatch | None:
        """Return the next batch, and forget it."""
        if not self.has_next():
            return None
        batch, self._batches[self._next] = self._batches[self._next], _NOTHING
        self._next += 1
        return batch


_NOTHING: Final = ReadBatch((), 0, 0)


def _records(data: Any, usual: Callable[[Any], Any]) -> Any:
    return data if isinstance(data, _Fetched) else usual(data)


read_fetches_with(_records)


class _Reading:
    """What a consumer makes of the bytes of its fetches."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._failed: dict[TopicPartition, tuple[int, int]] = {}
        """Position at which nothing could be read, and how often in a row."""

    async def read(self, reply: Any, positions: dict[TopicPartition, int]) -> None:
        """Put what was read in the place of the bytes.

        Partitions that were not asked for are left out: aiokafka would end its fetching over them.

        Raises:
            MalformedReply: it makes no sense; aiokafka asks again after a moment.
        """
        again = False
        topics = []
        with taking_apart(reply):
            for topic, partitions in reply.topics:
                read = []
                for partition, error, highwater, *others, data in partitions:
                    tp = TopicPartition(topic, partition)
                    if tp not in positions:
                        continue
                    if error == OffsetOutOfRangeError.errno:
                        _say_gone(tp, positions[tp])
                    if not data or error:
                        read.append((partition, error, highwater, *others, data or b""))
                        continue
                    fetched = await self._partition(tp, positions[tp], highwater, bytes(data))
                    again |= not fetched.has_next()
                    read.append((partition, error, highwater, *others, fetched))
                topics.append((topic, read))
        reply.topics = topics
        if again:
            await asyncio.sleep(self._bounds.again_seconds)

    async def _partition(
        self, tp: TopicPartition, position: int, end: int, data: bytes
    ) -> _Fetched:
        if any(is_whole(batch) and is_compressed(batch) for batch in framed(data)):
            batches = await asyncio.to_thread(list, self._batches(tp, position, end, data))
        else:
            batches = list(self._batches(tp, position, end, data))
        return _Fetched(batches)

    def _batches(
        self, tp: TopicPartition, position: int, end: int, data: bytes
    ) -> Iterator[ReadBatch]:
        """Yield what can be read, and no more than a piece of what had to be decompressed."""
        held, first, at = 0, True, position
        for batch in framed(data):
            try:
                if not is_whole(batch):
                    # Brokers cut what is too long for the answer.
                    raise Broken("it is cut off")  # noqa: TRY301 - as every broken one
                if not first and int.from_bytes(batch[:8], signed=True) < at:
                    raise Broken("it overlaps the one before")  # noqa: TRY301 - likewise
                read = read_batch(batch, at, end, self._bounds)
            except Exception as error:  # noqa: BLE001 - a partition must not stop for any
                given_up = self._give_up(tp, position, end, data, error) if first else None
                if given_up is not None:
                    yield given_up
                return
            if first:
                self._failed.pop(tp, None)
            first, at = False, read.next_offset
            yield read
            held += read.held
            if read.partial or held > self._bounds.piece_bytes:
                return

    def _give_up(
        self, tp: TopicPartition, position: int, end: int, data: bytes, error: Exception
    ) -> ReadBatch | None:
        """Return what stands for the first batch of a fetch, once it was tried often enough."""
        at, tries = self._failed.get(tp, (position, 0))
        tries = tries + 1 if at == position else 1
        self._failed[tp] = (position, tries)
        why = str(error) if isinstance(error, Broken) else f"{type(error).__name__} while reading"
        if tries < self._bounds.tries:
            _log.info("batch_fetched_again", partition=_name(tp), offset=position, why=why)
            return None
        del self._failed[tp]
        batch, *following = list(framed(data))
        last = _end_of(batch, following, position, end)
        _log.warning("batch_passed_over", partition=_name(tp), first=position, last=last, why=why)
        return passed_over(batch, position, last, why)


def _end_of(batch: bytes, following: list[bytes], position: int, end: int) -> int:
    """Return the last offset that an unreadable batch may be believed to hold.

    Nobody vouches for what it says of itself: not beyond the batch behind it, nor the topic's end.
    """
    last = max(end - 1, position)
    if following and is_whole(following[0]):
        begin = int.from_bytes(following[0][:8], signed=True)
        if position < begin <= last:
            return begin - 1
    named = _last_offset(batch)
    return named if position <= named <= last else position


def _last_offset(batch: bytes) -> int:
    """Return what a batch names as its last offset; -1: it names none."""
    if len(batch) < HEADER_BYTES:
        return -1
    return BatchHeader.of(batch).last_offset


def _say_gone(tp: TopicPartition, position: int) -> None:
    # aiokafka goes on from the topic's beginning without a word.
    _log.warning(
        "position_is_gone",
        partition=_name(tp),
        offset=position,
        reason="records were deleted before they were read, by retention or by somebody; "
        "or the topic was made anew",
    )


def _name(tp: TopicPartition) -> str:
    return f"{tp.topic}[{tp.partition}]"
