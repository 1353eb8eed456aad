"""Settling the shared transactions of a partition's former owner, whose id stands beside its offset."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.exactly_once.group_producer import GroupProducer
from stream.exactly_once.options import TransactionOptions
from stream.kafka.broker_errors import Fenced
from stream.kafka.group_members import members_of
from stream.kafka.offsets import OffsetPending, committed_note, committed_offset
from stream.kafka.private import client_of
from stream.kafka.stopping import cancel_until_over
from stream.kafka.transaction_state import ongoing_since

# A transaction takes milliseconds. One that takes longer has lost its producer, or that is frozen.
_GRACE_SECONDS: Final = 0.5
# Ours is settled by ourselves, a few requests after it failed.
_OWN_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 0.05
# A busy producer that lives ends one transaction in much less.
_STUCK_SECONDS: Final = 3.0
# All new owners of a dead one's partitions see that it is gone; the first of them settles what it left.
_APART_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class FormerOwners:
    """Settles what former owners of partitions left of transactions that several partitions shared.

    An owner that lives is disturbed by it, and no more: it begins again.

    Args:
        options: connection, group and timeouts.
        outputs: every topic that transactions publish to.
        make_producer: makes the producer that takes a former owner's id.
    """

    def __init__(
        self,
        options: TransactionOptions,
        outputs: Sequence[str],
        make_producer: Callable[[TransactionOptions, str], GroupProducer] = GroupProducer,
    ) -> None:
        self._options = options
        self._outputs = outputs
        self._make_producer = make_producer
        self._lock = asyncio.Lock()
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._gone: set[str] = set()
        self.ours = ""
        """The transactional id that this worker's partitions share; empty: none."""

    async def settle(self, tp: TopicPartition, consumer: Any) -> None:
        """See to it that no shared transaction of a former owner holds the partition's offset.

        Args:
            tp: the partition, whose offset is pending.
            consumer: started, of the group.

        Raises:
            KafkaError, TimeoutError: the brokers cannot be reached or refuse.
        """
        former = await self._former(tp, consumer)
        if not former:
            return
        ours = former == self.ours
        if await self._is_settled(tp, consumer, _OWN_SECONDS if ours else _GRACE_SECONDS) or ours:
            return
        async with self._lock:
            if not await self._is_settled(tp, consumer, 0.0):
                await self._shut_out(former, tp, consumer)

    async def watch(self, tp: TopicPartition, consumer: Any) -> None:
        """Shut a former owner out, later, if it has left the group, or its transaction does not go on.

        Its offsets are not pending, but its records may be: readers would wait for them until the
        broker ends the transaction; or for ever, if that is called ended.
        """
        former = await self._former(tp, consumer)
        known = {self.ours, *self._watching, *self._gone}
        if former and former not in known:
            task = asyncio.create_task(self._shut_out_if_gone(former, tp, consumer))
            self._watching[former] = task
            task.add_done_callback(lambda _: self._watching.pop(former, None))

    async def close(self) -> None:
        """Watch nobody any more."""
        await cancel_until_over(tuple(self._watching.values()))

    async def _former(self, tp: TopicPartition, consumer: Any) -> str:
        note = await committed_note(consumer, self._options.group, tp)
        return note if note.startswith(f"{self._options.group}.{tp.topic}.") else ""

    async def _is_settled(self, tp: TopicPartition, consumer: Any, seconds: float) -> bool:
        until = asyncio.get_running_loop().time() + seconds
        while True:
            with contextlib.suppress(OffsetPending):
                await committed_offset(consumer, self._options.group, tp, settled=True)
                return True
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _shut_out(self, former: str, tp: TopicPartition, consumer: Any) -> None:
        producer = self._make_producer(self._options, former)
        try:
            await producer.connect()
            partitions = consumer.partitions_for_topic(tp.topic) or {tp.partition}
            await producer.take_over(self._outputs, partitions)
            _log.info("former_owner_shut_out", transactional_id=former, partition=tp.partition)
        finally:
            await producer.discard()

    async def _shut_out_if_gone(self, former: str, tp: TopicPartition, consumer: Any) -> None:
        member_id = former.removeprefix(f"{self._options.group}.{tp.topic}.")
        try:
            await asyncio.sleep(random.uniform(0.0, _APART_SECONDS))  # noqa: S311 - spreads
            if member_id in await members_of(consumer, self._options.group):
                if not await self._is_stuck(former, consumer):
                    return
            else:
                self._gone.add(former)
            async with self._lock:
                await self._shut_out(former, tp, consumer)
        except (Fenced, KafkaError, TimeoutError, OSError) as error:
            # The broker ends it in its own time; or another new owner is at it.
            self._gone.discard(former)
            _log.info("former_owner_left_alone", transactional_id=former, error=repr(error))

    async def _is_stuck(self, former: str, consumer: Any) -> bool:
        client = client_of(consumer)
        began = await ongoing_since(client, former)
        if began is None:
            return False
        await asyncio.sleep(_STUCK_SECONDS)
        return await ongoing_since(client, former) == began
