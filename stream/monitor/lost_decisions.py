"""The guard's decisions, written again where their topic has lost them: it was deleted and made anew.

Workers that run go on to hold what they knew, those that start know of nothing, and the monitor, which
has decided, would not decide again. What it decided stands in its own durable table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

import structlog
from aiokafka.errors import KafkaError

from stream.errors import ReviewsError
from stream.guard.holds import Holds
from stream.guard.topic import publish, read_holds
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.kafka.topic_ids import topic_ids
from stream.settings import Settings

_RETRY_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


async def keep_decisions(
    settings: Settings, holds: Holds, is_restored: Callable[[], bool]
) -> NoReturn:
    """Look at the topic at first, and again whenever it is another one than before.

    Args:
        settings: connection, topic names, the guard's key.
        holds: as the monitor knows them.
        is_restored: tells whether they are all there.
    """
    topic = settings.topic_names.guard
    seconds = settings.kafka.metadata_max_age_ms / 1000
    looked_at: dict[str, str] | None = None
    while True:
        consumer = observer(settings.kafka)
        try:
            await start(consumer, settings.kafka)
            while True:
                # Absent while it is deleted; a broker before Kafka 2.8 names no ids.
                ids = await topic_ids(consumer, [topic])
                if is_restored() and (looked_at is None or (ids and ids != looked_at)):
                    await write_lost(settings, holds)
                    looked_at = ids
                await asyncio.sleep(seconds if looked_at is not None else 1.0)
        except (ReviewsError, KafkaError, TimeoutError, OSError) as error:
            _log.warning("guard_topic_not_looked_at", error=repr(error))
        finally:
            await consumer.stop()
        await asyncio.sleep(_RETRY_SECONDS)


async def write_lost(settings: Settings, holds: Holds) -> None:
    """Write the decisions that counted and that the topic does not hold, in their order.

    They have their numbers and seals: who has them takes them for delivered again.

    Raises:
        ReviewsError: they could not be read or written.
    """
    there = (await read_holds(settings)).history
    lost = [decision for decision in holds.history if decision not in there]
    if not lost:
        return
    _log.error(
        "guard_decisions_lost",
        topic=settings.topic_names.guard,
        decisions=len(lost),
        held=sorted({decision.category.slug for decision in holds.all_held()}),
        reason="the topic was deleted and made anew, or cut; they are written again, and what was held "
        "stays held",
        remedy="release what is not to be held with `reviews guard release`",
    )
    await publish(settings, lost)
