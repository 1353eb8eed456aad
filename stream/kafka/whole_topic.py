"""Reading a topic of one partition from its beginning, and on from there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.settings import KafkaSettings


@contextlib.asynccontextmanager
async def reading_whole(
    kafka: KafkaSettings, topic: str
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """Yield a consumer of what is committed, at the topic's beginning, and the only partition.

    Raises:
        UnknownTopicOrPartitionError: there is no such topic.
        BrokerError: no broker answers, or it refuses us.
        KafkaError: it does not answer any more.
    """
    tp = TopicPartition(topic, 0)
    consumer = observer(kafka)
    await start(consumer, kafka)
    try:
        if topic not in await consumer.topics():
            raise UnknownTopicOrPartitionError(topic)
        consumer.assign([tp])
        consumer.seek(tp, (await consumer.beginning_offsets([tp]))[tp])
        yield consumer, tp
    finally:
        with contextlib.suppress(KafkaError):
            await consumer.stop()
