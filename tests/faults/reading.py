"""Reading topics back as a ``read_committed`` consumer sees them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas import (
    BatchSummary,
    CategorizedReview,
    DeadLetterReason,
    RelabelTask,
    TopicNames,
    decode,
)
from tests.faults.ledger import Input, Outcome
from tests.faults.quotas import HARNESS
from tests.faults.workload import UID_HEADER

# Only bounds a failure.
_READ_SECONDS: Final = 180.0
_POLL_MS: Final = 300


async def read_to_end(
    servers: str, topics: Iterable[str], isolation: str = "read_committed"
) -> list[ConsumerRecord]:
    """Return every record up to the present end of the topics."""
    consumer = _consumer(servers, topics, isolation)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        records: list[ConsumerRecord] = []
        waiting = {tp for tp, end in ends.items() if end > 0}
        async with asyncio.timeout(_READ_SECONDS):
            while waiting:
                for batch in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                    records += batch
                waiting = {tp for tp in waiting if await consumer.position(tp) < ends[tp]}
        return records
    finally:
        await consumer.stop()


async def open_transactions(servers: str, topics: Iterable[str]) -> int:
    """Count the partitions whose last stable offset is behind their end."""
    names = list(topics)
    stable, written = await asyncio.gather(
        _ends(servers, names, "read_committed"), _ends(servers, names, "read_uncommitted")
    )
    return sum(stable[tp] < written[tp] for tp in written)


def inputs(records: Iterable[ConsumerRecord]) -> list[Input]:
    """Turn records of the input topic into the checker's terms."""
    return [Input((r.partition, r.offset), _uid(r)) for r in records]


def outcome(record: ConsumerRecord, topics: TopicNames) -> Outcome:
    """Turn an output record into the checker's terms.

    Raises:
        ContractError: it is not what its topic must hold.
    """
    place = (record.topic, record.partition, record.offset)
    if record.topic == topics.dead_letter:
        reason = DeadLetterReason.from_headers(record.headers)
        position = (reason.source.partition, reason.source.offset)
        return Outcome(*place, _uid(record), f"dead-letter:{reason.code}", position)
    event: RelabelTask | CategorizedReview
    if record.topic == topics.relabel:
        event = decode(RelabelTask, record.value)
        route = "relabel"
    else:
        event = decode(CategorizedReview, record.value)
        route = f"category:{record.topic.removeprefix(f'{topics.prefix}.category.')}"
    source = None if event.source is None else (event.source.partition, event.source.offset)
    return Outcome(*place, event.review.metadata.get(UID_HEADER, "?"), route, source)


def summed_up(records: Iterable[ConsumerRecord]) -> dict[int, int]:
    """Add up by input partition how many reviews the batch summaries count."""
    totals: Counter[int] = Counter()
    for record in records:
        summary = decode(BatchSummary, record.value)
        totals[summary.source_partition] += summary.reviews
    return dict(totals)


def _uid(record: ConsumerRecord) -> str:
    return next((v.decode() for name, v in record.headers if name == UID_HEADER), "?")


def _consumer(servers: str, topics: Iterable[str], isolation: str) -> Any:
    # Without a group it is assigned every partition, and begins where the topics begin.
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        client_id=HARNESS,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


async def _ends(servers: str, topics: Iterable[str], isolation: str) -> dict[TopicPartition, int]:
    consumer = _consumer(servers, topics, isolation)
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        return ends
    finally:
        await consumer.stop()
