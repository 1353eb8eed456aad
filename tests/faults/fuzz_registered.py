"""Messages in formats that a schema registry knows, and schemas, damaged: for :mod:`tests.faults.fuzz`."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from schemas import OtherFormat
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.errors import UnusableSchema
from stream.schema_registry.protobuf import protobuf_reader
from tests.support.wire_format import avro_body

_TEXT: Final = "Сапоги удобные, тёплые; ношу вторую зиму"
_ROW: Final[dict[str, Any]] = {
    "type": "record",
    "name": "shop.Value",
    "fields": [
        {"name": "id", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9}},
        {"name": "text", "type": ["null", "string"]},
        {"name": "created_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "stars", "type": ["null", "int", "double", {"type": "array", "items": "string"}]},
        {"name": "extra", "type": {"type": "map", "values": "bytes"}},
    ],
}
_CHANGE: Final = {
    "type": "record",
    "name": "shop.Envelope",
    "fields": [
        {"name": "before", "type": ["null", _ROW]},
        {"name": "after", "type": ["null", "shop.Value"]},
        {"name": "op", "type": {"type": "enum", "name": "Op", "symbols": ["c", "u", "d"]}},
    ],
}
_THREAD: Final = {
    "type": "record",
    "name": "Thread",
    "fields": [
        {"name": "review_id", "type": "string"},
        {"name": "text", "type": "string"},
        {"name": "answers", "type": {"type": "array", "items": "Thread"}},
    ],
}
_PROTO: Final = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
message Review {
  string review_id = 1;
  string text = 2;
  google.protobuf.Timestamp created_at = 3;
  google.protobuf.Struct metadata = 4;
  google.protobuf.Any more = 5;
  repeated Review answers = 6;
}
"""
_PROTO_BODY: Final = (
    b"\0\x0a\x03r-1\x12" + bytes([len(_TEXT.encode())]) + _TEXT.encode()
    + b"\x1a\x06\x08\xea\xf8\xb3\xd8\x06\x22\x0d\x0a\x0b\x0a\x01k\x12\x06\x1a\x04kept\x32\x05\x0a\x03r-2"
)  # fmt: skip


class Registered:
    """A registry's schemas, by ids from 1 on; any other is absent."""

    def __init__(self) -> None:
        avro = [avro_reader(json.dumps(schema), {}) for schema in (_ROW, _CHANGE, _THREAD)]
        self._readers = [None, *avro, protobuf_reader(_PROTO, {})]

    def reader_of(self, schema_id: int) -> Callable[[bytes], object] | None:
        """Return what reads bodies of a schema; None: they are JSON."""
        if schema_id > len(self._readers):
            raise OtherFormat("the registry does not have it")
        return self._readers[schema_id - 1]


def registered_message(rng: random.Random) -> bytes:
    """Return a message behind a schema's id, whole or damaged."""
    bodies = _bodies()
    schema_id = rng.randrange(len(bodies))
    body = bytearray(bodies[schema_id])
    for _ in range(rng.choice([0, 1, 1, 3])):
        at = rng.randrange(len(body))
        match rng.randrange(4):
            case 0:
                body[at] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            case 1:
                del body[at:]
                body += bytes([2]) * rng.choice([1, 5000])
            case 2:
                body[at:at] = rng.randbytes(rng.choice([1, 9]))
            case _:
                body[at : at + 9] = b"\xff" * 9 + b"\x01"
    named = rng.choice([schema_id + 1] * 6 + [rng.randrange(7), 2**31, 2**32 - 1])
    head = b"\0" + named.to_bytes(rng.choice([4, 4, 4, 8]), "big")
    return (head + bytes(body))[: rng.choice([5, 9, None, None, None, None, None, None])]


@cache
def _bodies() -> list[bytes]:
    row = {
        "id": Decimal(7),
        "text": _TEXT,
        "created_at": datetime(2026, 11, 30, tzinfo=UTC),
        "stars": ["a", "b"],
        "extra": {"k": b"\xff"},
    }
    thread = {"review_id": "r-1", "text": _TEXT, "answers": []}
    return [
        json.dumps({"id": 7, "text": _TEXT}).encode(),
        avro_body(_ROW, row),
        avro_body(_CHANGE, {"before": None, "after": row, "op": "u"}),
        avro_body(_THREAD, {**thread, "answers": [thread, thread]}),
        _PROTO_BODY,
    ]


def damaged_schema(rng: random.Random) -> str:
    """Return a schema of Avro with one to three faults, and perhaps not even JSON."""
    schema = copy.deepcopy(rng.choice([_ROW, _CHANGE, _THREAD]))
    for _ in range(rng.randint(1, 3)):
        _damage(schema, rng)
    text = json.dumps(schema)
    if rng.random() < 0.2:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(["", "[" * 2000, "1e999", "\\ud800", '"'])
    return text


def read_by(schema: str, rng: random.Random) -> str:
    """Read a message by a schema of Avro; return how that ended."""
    try:
        read = avro_reader(schema, {})
    except UnusableSchema:
        return "schema:unusable"
    try:
        read(rng.choice(_bodies()[1:4]))
    except OtherFormat:
        return "schema:other-body"
    return "schema:read"


def _damage(schema: Any, rng: random.Random) -> None:
    """Change one place anywhere in a schema."""
    while True:
        places: list[Any] = list(schema) if isinstance(schema, dict) else list(range(len(schema)))
        if not places:
            return
        at = rng.choice(places)
        if isinstance(schema[at], dict | list) and rng.random() < 0.7:
            schema = schema[at]
            continue
        schema[at] = copy.deepcopy(rng.choice(_ODD))
        return


_ODD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 10**30, 1e308, "", "null", "int", "Thread", "shop.Value", "shop.Envelope", "\ud800",
    [], {}, [[]], ["null", "null"], {"type": "array", "items": "null"}, {"type": "fixed"},
    {"type": "fixed", "name": "F", "size": 2**40}, {"type": "record", "name": "E", "fields": []},
    {"type": "long", "logicalType": "decimal"}, {"type": "bytes", "logicalType": "decimal", "scale": -(10**9)},
    {"type": "map", "values": "Thread"}, {"type": {"type": "int"}}, {"type": "enum", "name": "N", "symbols": []},
)  # fmt: skip
