"""Asking a broker for what an admin client asks: topics, settings, rights."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.errors import KafkaError

from stream.kafka.clients import admin_client
from stream.kafka.connection import start, unreachable
from stream.kafka.private import client_of
from stream.settings import KafkaSettings

_POLL_SECONDS: Final = 0.02


@asynccontextmanager
async def administering(kafka: KafkaSettings) -> AsyncIterator[Any]:
    """Lend an admin client whose broker is part of its cluster.

    Raises:
        BrokerError: no broker answers, or it refuses us, also within the block.
    """
    client = admin_client(kafka)
    await start(client, kafka)
    try:
        await _registered(client, kafka.request_timeout_ms / 1000)
        yield client
    except (KafkaError, OSError) as error:
        raise unreachable(kafka, error) from None
    finally:
        await client.close()


async def _registered(admin: Any, seconds: float) -> None:
    """Wait for a broker that answers and is no part of its cluster yet, or not again.

    One that has just started, or was silent for longer than its session, names no brokers for a
    moment, itself included: whatever is asked of it fails.
    """
    client = client_of(admin)
    deadline = time.monotonic() + seconds
    while not client.cluster.brokers() and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        await client.force_metadata_update()
