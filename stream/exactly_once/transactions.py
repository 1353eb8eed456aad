"""The door: producers of transactions, and recoveries, for any partition of a group's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition

from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.recovery import Recovery
from stream.exactly_once.transactional_producer import TransactionalProducer
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

    def producer(self, tp: TopicPartition) -> TransactionalProducer:
        """Return a producer, not started, for an input partition."""
        return TransactionalProducer(self._options, tp, self.limits)

    def recovery(self, tp: TopicPartition, consumer: Any) -> Recovery:
        """Return what settles former transactions of an input partition.

        Args:
            tp: the partition.
            consumer: started, of the group.
        """
        return Recovery(tp, consumer, self._options.group, self._outputs)
