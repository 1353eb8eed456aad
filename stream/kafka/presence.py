"""Whether the broker answers: one line when it goes, one when it is back."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from stream.kafka.clients import bare_client
from stream.kafka.connection import connection_options
from stream.logs import library_lines
from stream.settings import KafkaSettings

_LOOK_SECONDS: Final = 2.0
# A broker that is busy is not gone.
_ANSWER_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


async def tell_of_outages(kafka: KafkaSettings) -> None:
    """Log when no broker answers any more and when one does again, until cancelled.

    Meanwhile the lines of Kafka's client, which says the same at every attempt, are left out.

    Args:
        kafka: the connection.
    """
    client = bare_client(connection_options(kafka))
    lost_at: float | None = None
    try:
        while True:
            answers = await _answers(client)
            if not answers and lost_at is None:
                lost_at = time.monotonic()
                library_lines.held = True
                _log.warning("broker_lost", servers=kafka.bootstrap_servers)
            elif answers and lost_at is not None:
                seconds = round(time.monotonic() - lost_at, 1)
                library_lines.held = False
                lost_at = None
                _log.warning("broker_back", servers=kafka.bootstrap_servers, seconds=seconds)
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        library_lines.held = False
        await client.close()


async def _answers(client: AIOKafkaClient) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            if not client.cluster.brokers():
                await client.bootstrap()
                return True
            return bool(await client.force_metadata_update())
    except (KafkaError, TimeoutError, OSError):
        return False
