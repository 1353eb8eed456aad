"""How the pipeline stands at the broker: who is behind, and by how much."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.kafka import connection_options, start
from stream.settings import Settings
from stream.topics_admin import partitions_of

# Two looks a second for half an hour would be more than a chart can show: one in two seconds.
_REMEMBERED: Final = 3600


@dataclass(slots=True)
class BrokerView:
    """What the broker said last, and what it said before."""

    lags: dict[int, int] = field(default_factory=dict)
    """Events that wait for a worker, by input partition; empty: the broker has not answered."""
    asked_at: float | None = None
    """Seconds since 1970; None: it did not answer, or not the last time."""
    last_batch_at: float | None = None
    """When the last summary arrived here, seconds since 1970."""
    past: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Moment, lag and backlog."""

    @property
    def lag(self) -> int | None:
        """Events that wait for a worker; None: the broker did not say."""
        return None if self.asked_at is None else sum(self.lags.values())

    def silence(self, now: float, since: float) -> float | None:
        """Return for how long no worker has finished a batch though reviews wait.

        Args:
            now: seconds since 1970.
            since: when we began to listen.
        """
        if self.lag is None:
            return None
        return now - max(self.last_batch_at or since, since) if self.lag else 0.0

    def answered(self, lags: Mapping[int, int], backlog: int, now: float) -> None:
        """Note an answer of the broker."""
        self.lags = dict(lags)
        self.asked_at = now
        self.past.append((now, sum(lags.values()), backlog))


class LagProbe:
    """Asks the broker how far the workers are, without joining their group. Use as ``async with``.

    Args:
        settings: connection, the incoming topic, the workers' group.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: Kafka cannot be reached or refuses us, or the incoming topic is absent.
        """
        settings = self._settings
        self._partitions = await partitions_of(settings.kafka, settings.topic_names.incoming)
        self._consumer = AIOKafkaConsumer(
            **connection_options(settings.kafka),
            group_id=settings.worker.group,
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        await start(self._consumer, settings.kafka)
        self._consumer.assign(self._partitions)
        # It asks where topics end; the reviews themselves are no business of a monitor's.
        self._consumer.pause(*self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    async def ask(self) -> dict[int, int]:
        """Return the lag by partition, counted to the last stable offset.

        Raises:
            KafkaError, TimeoutError: the broker did not answer.
        """
        consumer = self._consumer
        if consumer is None:
            raise KafkaError("the probe is not connected")
        ends = await consumer.end_offsets(self._partitions)
        first = await consumer.beginning_offsets(self._partitions)
        lags: dict[int, int] = {}
        for tp in self._partitions:
            committed = await consumer.committed(tp)
            at = first[tp] if committed is None else max(committed, first[tp])
            lags[tp.partition] = max(ends[tp] - at, 0)
        return lags
