"""The door: producers of transactions, and recoveries, for any partition of a group's input."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

from stream.exactly_once.former_owner import FormerOwners
from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.recovery import Recovery
from stream.exactly_once.shared_transactions import JoiningProducer, SharedTransactions
from stream.exactly_once.transactional_producer import PartitionProducer, TransactionalProducer
from stream.kafka.membership import Membership, membership_of
from stream.kafka.size_limits import SizeLimits


class Transactions:
    """Makes what a partition needs to be answered exactly once.

    Args:
        options: of all of them.
        outputs: every topic that they publish to.
        limits: how large messages may be; learned from what brokers refuse.
    """

    def __init__(
        self,
        options: TransactionOptions,
        outputs: Sequence[str] = (),
        limits: SizeLimits | None = None,
    ) -> None:
        self._options = options
        self._outputs = outputs
        self.limits = limits or SizeLimits()
        self._membership: Membership | None = None
        self._shared: SharedTransactions | None = None
        self._sharing = ""
        self._closing: set[asyncio.Task[None]] = set()
        self._counts: dict[str, int] = {}
        self._former = FormerOwners(options, outputs)

    def assigned(self, consumer: Any, instance: str | None) -> None:
        """Note in whose name partitions commit that the group has just assigned.

        Args:
            consumer: the member.
            instance: its own name, if it has one.
        """
        if not self._options.shared:
            return
        self._membership = membership_of(consumer, instance)
        counts = {
            topic: len(consumer.partitions_for_topic(topic) or ())
            for topic in {tp.topic for tp in consumer.assignment()}
        }
        if self._shared is not None and counts != self._counts:
            self._shared.renew()
        self._counts = counts

    def producer(self, tp: TopicPartition) -> PartitionProducer:
        """Return a producer, not started, for an input partition."""
        membership = self._membership
        if membership is None:
            return TransactionalProducer(self._options, tp, self.limits)
        shared = self._shared
        if shared is None or self._sharing != membership.member_id:
            self._close_shared()
            shared = SharedTransactions(
                self._options, tp.topic, membership.member_id, self._outputs, self.limits
            )
            self._shared, self._sharing = shared, membership.member_id
            self._former.ours = shared.transactional_id
        own = TransactionalProducer(self._options, tp, self.limits, membership)
        return JoiningProducer(tp, own, shared, membership)

    def recovery(self, tp: TopicPartition, consumer: Any) -> Recovery:
        """Return what settles former transactions of an input partition.

        Args:
            tp: the partition.
            consumer: started, of the group.
        """
        return Recovery(
            tp,
            consumer,
            self._options.group,
            self._outputs,
            self._former,
            warns=self._options.reads_always,
        )

    async def close(self) -> None:
        """End the transactions that partitions share. No producer is of use afterwards."""
        await self._former.close()
        self._close_shared()
        await asyncio.gather(*self._closing)

    def _close_shared(self) -> None:
        """Begin to close them: whom the group threw out commits no more, and comes back as another member."""
        if self._shared is not None:
            closing = asyncio.create_task(self._shared.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._shared = None
