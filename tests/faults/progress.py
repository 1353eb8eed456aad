"""How far a consumer group has come, asked of the broker through all of its faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.quotas import HARNESS

# Resolution of the recovery times.
_POLL_SECONDS: Final = 0.1


class Progress:
    """The committed offsets of a group on one topic.

    Args:
        servers: brokers.
        group: consumer group.
        topic: input topic.
    """

    def __init__(self, servers: str, group: str, topic: str) -> None:
        self._servers = servers
        self._group = group
        self._topic = topic
        self._admin: AIOKafkaAdminClient | None = None

    async def committed(self) -> dict[int, int]:
        """Return the committed offset by partition; empty while no broker answers."""
        try:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(
                    bootstrap_servers=self._servers, client_id=HARNESS, request_timeout_ms=3000
                )
                await self._admin.start()
            offsets = await self._admin.list_consumer_group_offsets(self._group)
        except (KafkaError, OSError, TimeoutError, AssertionError):
            await self.close()  # a new connection may find the coordinator
            return {}
        return {tp.partition: o.offset for tp, o in offsets.items() if tp.topic == self._topic}

    async def reached(self, target: Mapping[int, int], seconds: float) -> float | None:
        """Wait until every offset of ``target`` is committed.

        Returns:
            Seconds from now, or None when they did not suffice.
        """
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            done = await self.committed()
            if all(done.get(partition, 0) >= end for partition, end in target.items()):
                return time.monotonic() - started
            await asyncio.sleep(_POLL_SECONDS)
        return None

    async def close(self) -> None:
        """Disconnect."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()
