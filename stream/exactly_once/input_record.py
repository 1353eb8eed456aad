"""An input record on its way: read, and not committed yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import ConsumerRecord, TopicPartition

from stream.kafka.reading import unreadable_in


class Owner(Protocol):
    """What a record needs to know of the partition processor that took it in."""

    tp: TopicPartition
    epoch: int


@dataclass(slots=True, eq=False)
class InputRecord:
    """A record and who answers it. What it means stands in a class of the one who reads it."""

    owner: Owner
    epoch: int
    """The owner's epoch when the record was read: once the owner moves on, the record is void."""
    record: ConsumerRecord
    held: int = field(default=0, kw_only=True)
    """Bytes of the record, for as long as it is on its way."""

    @property
    def stale(self) -> bool:
        """Whether the partition was lost or reset since: another delivery of the record will come."""
        return self.epoch != self.owner.epoch

    @property
    def first_offset(self) -> int:
        """Of the record, or of the run of offsets that it stands for."""
        unreadable = unreadable_in(self.record)
        return int(self.record.offset) if unreadable is None else unreadable.first_offset


def held_bytes(record: ConsumerRecord) -> int:
    """Return how much an input record keeps in memory, as far as a producer decides about it."""
    size = len(record.value or b"") + len(record.key or b"")
    if record.headers and unreadable_in(record) is None:
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
    return size
