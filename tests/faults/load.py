"""A steady producer that remembers what was acknowledged."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.faults.ledger import Sent
from tests.faults.quotas import HARNESS
from tests.faults.workload import Event, Workload

# Events go out in small groups: timers finer than this cost more than they smooth.
_TICK_SECONDS: Final = 0.05


class Load:
    """Publishes a workload at a constant rate until closed. Use as ``async with``.

    The producer is idempotent and waits for all in-sync replicas, as a shop's should. Through an
    outage it keeps trying; the events of the outage are then sent late.

    Args:
        servers: brokers.
        topic: input topic.
        workload: makes the events.
        rate: events per second.
    """

    def __init__(self, servers: str, topic: str, workload: Workload, rate: int) -> None:
        self.acknowledged: dict[str, Sent] = {}
        self.ends: dict[int, int] = {}
        """By partition, the offset after the last acknowledged event."""
        self.failures: list[str] = []
        self.rate = rate
        """Events per second; may be changed at any time."""
        self._servers = servers
        self._topic = topic
        self._workload = workload
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None
        self._pending: set[asyncio.Future[Any]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.finish()

    async def start(self) -> None:
        """Begin to send, also again after :meth:`finish`."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id=HARNESS,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            request_timeout_ms=10_000,
            metadata_max_age_ms=1000,  # partitions may be added
        )
        await self._producer.start()
        self._task = asyncio.create_task(self._run())

    async def finish(self) -> None:
        """Stop sending and wait for the outstanding acknowledgements. May be called twice."""
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await producer.stop()  # flushes
        await asyncio.gather(*self._pending, return_exceptions=True)

    async def more(self, events: int, seconds: float = 120.0) -> None:
        """Wait until so many more events are acknowledged.

        Raises:
            TimeoutError: the broker takes none.
        """
        wanted = len(self.acknowledged) + events
        async with asyncio.timeout(seconds):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110 - a tick is fine enough
                await asyncio.sleep(_TICK_SECONDS)

    async def _run(self) -> None:
        last, due = time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            # After a stall (we were starved, or an outage) do not pour all of it out at once.
            due = min(due + (now - last) * self.rate, float(self.rate))
            last = now
            while due >= 1:
                await self._send(self._workload.next())
                due -= 1
            await asyncio.sleep(_TICK_SECONDS)

    async def _send(self, event: Event) -> None:
        assert self._producer is not None
        try:
            delivery = await self._producer.send(
                self._topic, event.value, key=event.key, headers=event.headers
            )
        except KafkaError as error:
            self.failures.append(repr(error))
            return
        self._pending.add(delivery)
        delivery.add_done_callback(lambda done: self._delivered(event, done))

    def _delivered(self, event: Event, delivery: asyncio.Future[Any]) -> None:
        self._pending.discard(delivery)
        if delivery.cancelled():
            return
        if (error := delivery.exception()) is not None:
            self.failures.append(repr(error))
            return
        record = delivery.result()
        self.acknowledged[event.sent.uid] = event.sent
        self.ends[record.partition] = max(self.ends.get(record.partition, 0), record.offset + 1)
