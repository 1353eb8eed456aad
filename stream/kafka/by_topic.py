"""Kafka's requests list topics, and under each its partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from aiokafka import TopicPartition

Entry = TypeVar("Entry")


def by_topic(entries: Iterable[tuple[TopicPartition, Entry]]) -> dict[str, list[Entry]]:
    """Return what is said of partitions, under their topics; in the order in which it comes."""
    grouped: dict[str, list[Entry]] = {}
    for tp, entry in entries:
        grouped.setdefault(tp.topic, []).append(entry)
    return grouped
