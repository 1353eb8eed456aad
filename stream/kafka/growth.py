"""Partitions that are added while a client without a group reads.

A group hears of them: its leader deals them out. Who assigns partitions to itself has to look.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition


def new_partitions(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """Return partitions of these topics that the consumer has heard of, and is not assigned."""
    assigned = consumer.assignment()
    return sorted(
        tp
        for topic in topics
        for number in consumer.partitions_for_topic(topic) or ()
        if (tp := TopicPartition(topic, number)) not in assigned
    )


async def take_in(consumer: AIOKafkaConsumer, added: Iterable[TopicPartition]) -> None:
    """Assign partitions besides those that are read already, each from its beginning.

    Raises:
        KafkaError: the broker does not say where they begin.
    """
    positions = {tp: await consumer.position(tp) for tp in consumer.assignment()}
    positions |= await consumer.beginning_offsets(list(added))
    consumer.assign(sorted(positions))
    for tp, position in positions.items():
        consumer.seek(tp, position)
