"""Recovery of a partition: the former owner's transaction is settled; where it stopped is known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.exactly_once.former_owner import FormerOwners
from stream.exactly_once.transactional_producer import PartitionProducer
from stream.kafka.offsets import OffsetPending, committed_offset

# Writing a transaction's end to its partitions takes milliseconds, and so does finding a group's
# coordinator; this only bounds a failure.
_SETTLE_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 0.1

_log = structlog.get_logger(__name__)


class Recovery:
    """Starts one producer after another for a partition, and says where each begins.

    Args:
        tp: the partition that is read.
        consumer: started, of the group; its connections are used.
        group: whose committed offset counts.
        outputs: every topic that the partition's transactions publish to.
        former: settles transactions that the partition's former owner shared among partitions.
        warns: of input that was there before the group committed anything.
    """

    def __init__(
        self,
        tp: TopicPartition,
        consumer: AIOKafkaConsumer,
        group: str,
        outputs: Sequence[str],
        former: FormerOwners | None = None,
        *,
        warns: bool = True,
    ) -> None:
        self._tp = tp
        self._consumer = consumer
        self._group = group
        self._outputs = outputs
        self._former = former
        self._warns = warns

    async def start(self, producer: PartitionProducer) -> int:
        """Start the producer and return the offset to go on from.

        Raises:
            Fenced: another owner has taken over meanwhile.
            KafkaError, TimeoutError: the broker cannot be reached or refuses.
        """
        # The order matters. Only after the id is taken over are the former owner's transactions settled,
        # and only then is the offset final.
        await producer.start(self._outputs)
        committed = await self._settled_offset()
        if self._former is not None:
            await self._former.watch(self._tp, self._consumer)
        if committed is None:
            committed = (await self._consumer.beginning_offsets([self._tp]))[self._tp]
            end = (await self._consumer.end_offsets([self._tp]))[self._tp]
            if end > committed and self._warns:
                _log.warning(
                    "no_committed_offset",
                    partition=f"{self._tp.topic}[{self._tp.partition}]",
                    reads_from=committed,
                    to=end,
                    reason="the group has committed nothing here yet (a new group or topic, or an "
                    "owner that ended before its first commit), or its offsets have expired "
                    "(offsets.retention.minutes): then what it had decided is decided again",
                )
        return int(committed)

    async def _settled_offset(self) -> int | None:
        if self._former is not None:
            with contextlib.suppress(OffsetPending):
                async with asyncio.timeout(_SETTLE_SECONDS):
                    return await committed_offset(
                        self._consumer, self._group, self._tp, settled=True
                    )
            await self._former.settle(self._tp, self._consumer)
        # The broker answers first and writes the end to the partitions then.
        async with asyncio.timeout(_SETTLE_SECONDS):
            while True:
                with contextlib.suppress(OffsetPending):
                    return await committed_offset(
                        self._consumer, self._group, self._tp, settled=True
                    )
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
