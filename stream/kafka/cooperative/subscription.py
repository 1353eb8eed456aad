"""What a member tells its group when it joins: topics, and the partitions that it keeps (KIP-429, KIP-792)."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from aiokafka.protocol.types import Array, Bytes, Int16, Int32, Schema, String

from stream.kafka.by_topic import by_topic

_VERSION: Final = 2
_NO_GENERATION: Final = -1
_PARTITIONS: Final = Array(("topic", String("utf-8")), ("partitions", Array(Int32)))
_FIELDS: Final = (
    ("version", Int16),
    ("topics", Array(String("utf-8"))),
    ("user_data", Bytes),
    ("owned_partitions", _PARTITIONS),  # since version 1
    ("generation_id", Int32),  # since version 2
)
_FIELDS_OF: Final = {0: 3, 1: 4}


@dataclass(frozen=True, slots=True)
class Subscription:
    """A member's subscription, and what it owns while the group deals anew."""

    topics: frozenset[str]
    owned: frozenset[TopicPartition] = frozenset()
    generation: int = _NO_GENERATION
    """In which it was given what it owns."""

    def encode(self) -> bytes:
        """Return it as a consumer protocol's subscription, version 2."""
        owned = numbers_by_topic(self.owned)
        encoded: bytes = Schema(*_FIELDS).encode(
            (_VERSION, sorted(self.topics), b"", owned, self.generation)
        )
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> Subscription:
        """Return what a member of any version claims; the first one knew of no owned partitions.

        Raises:
            ValueError: those are no subscription's bytes.
        """
        version = int.from_bytes(data[:2], signed=True)
        fields = _FIELDS[: _FIELDS_OF.get(version, len(_FIELDS))]
        _version, topics, _user_data, *others = Schema(*fields).decode(io.BytesIO(data))
        owned = (others[0] if others else None) or ()  # null is how none may be said
        claimed = frozenset(
            TopicPartition(topic, n) for topic, numbers in owned for n in numbers or ()
        )
        if None in {*(topics or ()), *(tp.topic for tp in claimed)}:
            raise ValueError("a topic without a name")
        return cls(
            frozenset(topics or ()), claimed, others[1] if len(others) > 1 else _NO_GENERATION
        )


def numbers_by_topic(partitions: Iterable[TopicPartition]) -> list[tuple[str, list[int]]]:
    """Return partitions as the group's protocol lists them."""
    return list(by_topic((tp, tp.partition) for tp in sorted(partitions)).items())
