"""Reading and writing ``reviews.guard``."""

from __future__ import annotations

from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas import ContractError, GuardDecision, cloud_event, decode, encode
from stream.errors import TopicMissing
from stream.guard.holds import Holds, Refused
from stream.guard.sealing import DecisionSeal
from stream.kafka.clients import idempotent_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.read_to_end import read_to_end
from stream.kafka.stopping import stop_producer
from stream.kafka.whole_topic import reading_whole
from stream.settings import Settings

_LONGEST: Final = 200

_log = structlog.get_logger(__name__)


def take(holds: Holds, value: bytes | None, offset: int) -> GuardDecision | None:
    """Take in what stands on the topic; return the decision, if it counts.

    Whatever anybody wrote there ends nobody: it is left out, and said. A tombstone releases nothing. What
    counted already, and is read again, is no news.
    """
    try:
        decision = decode(GuardDecision, value or b"")
        refused = holds.apply(decision)
    except (ContractError, ValueError, RecursionError) as error:
        refused = Refused(str(error)[:_LONGEST])
    if refused is None:
        return decision
    if not refused.counted_before:
        _log.warning("guard_decision_left_out", offset=offset, reason=refused.reason)
    return None


async def take_all(
    holds: Holds, consumer: AIOKafkaConsumer, tp: TopicPartition
) -> list[GuardDecision]:
    """Take in what stands on the topic now; return what counted."""
    ends = await consumer.end_offsets([tp])
    taken = [
        take(holds, record.value, record.offset) async for record in read_to_end(consumer, ends)
    ]
    return [decision for decision in taken if decision is not None]


async def read_holds(settings: Settings) -> Holds:
    """Return how the guard stands now.

    Raises:
        TopicMissing: there is no such topic.
        BrokerError: no broker answers, or it refuses us.
    """
    holds = Holds(DecisionSeal(settings.guard, settings.topics.prefix))
    try:
        async with reading_whole(settings.kafka, settings.topic_names.guard) as (consumer, tp):
            await take_all(holds, consumer, tp)
    except UnknownTopicOrPartitionError:
        raise TopicMissing(
            f"{settings.topic_names.guard} is absent", "create it with `reviews topics create`"
        ) from None
    except (KafkaError, OSError) as error:
        raise unreachable(settings.kafka, error) from None
    return holds


async def publish(settings: Settings, decisions: list[GuardDecision]) -> None:
    """Write decisions; they are on all replicas when this returns.

    Raises:
        BrokerError: no broker answers, or it refuses us.
    """
    producer: Any = idempotent_producer(settings.kafka)
    await start(producer, settings.kafka)
    try:
        for decision in decisions:
            await producer.send_and_wait(
                settings.topic_names.guard,
                key=_key_of(decision),
                value=encode(decision),
                headers=_headers_of(decision),
                partition=0,
            )
    except (KafkaError, OSError) as error:
        raise unreachable(settings.kafka, error) from None
    finally:
        await stop_producer(producer)


def _key_of(decision: GuardDecision) -> bytes:
    """Return a decision's key: what it is about."""
    return f"{decision.model_version}/{decision.category}".encode()


def _headers_of(decision: GuardDecision) -> list[tuple[str, bytes]]:
    """Return a decision's headers."""
    subject = _key_of(decision).decode()
    return cloud_event(GuardDecision, f"{subject}#{decision.number}", subject, decision.decided_at)
