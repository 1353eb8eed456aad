"""Pieces of the requests that aiokafka 0.14 does not know, in Kafka's flexible versions (KIP-482).

In these every group of fields ends with tagged ones, arrays and strings are compact. Requests differ in
little else, so that their schemas are put together here.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.protocol.types import CompactArray, CompactString, Int32, Schema, TaggedFields

from stream.kafka.replies import error_of

STRING: Final = CompactString("utf-8")
NO_TAGS: Final[dict[int, bytes]] = {}
_TAGS: Final = ("tags", TaggedFields)


def message(*fields: tuple[str, Any]) -> Any:
    """Return the schema of a request or a reply with these fields."""
    return Schema(*fields, _TAGS)


def groups(*fields: tuple[str, Any]) -> Any:
    """Return the type of an array whose entries have these fields."""
    return CompactArray(*fields, _TAGS)


def partitions_by_topic() -> Any:
    """Return the type of partition numbers by topic, as many requests have it."""
    return groups(("topic", STRING), ("partitions", CompactArray(Int32)))


def raise_for(code: int) -> None:
    """Raise what a broker's error code stands for; 0 stands for none.

    Raises:
        KafkaError: the code is another.
    """
    if code:
        raise error_of(code)
