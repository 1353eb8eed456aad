"""``python -m tests.bench.incoming``: microseconds to read a message, by its format.

The baseline is a review exactly as the contract says. In every round each format has its turn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from schemas import IncomingReader
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.protobuf import protobuf_reader
from tests.bench.rounds import Rounds
from tests.support.wire_format import avro_body, wired

BASELINE: Final = "JSON as the contract says"
_TEXT: Final = "Сапоги удобные, ношу каждый день, не промокают. Размер подошёл, беру вторые. " * 2
_WHEN: Final = 1_796_052_730_000
_FIELDS: Final[list[Any]] = [
    {"name": "id", "type": "long"},
    {"name": "text", "type": ["null", "string"]},
    {"name": "created_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]
_ROW: Final = {"type": "record", "name": "Value", "fields": _FIELDS}
_CHANGE: Final = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", _ROW]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "op", "type": "string"},
    ],
}
_THREAD: Final = {
    "type": "record",
    "name": "Comment",
    "fields": [*_FIELDS, {"name": "answers", "type": ["null", "Comment"]}],
}
_PROTO: Final = (
    'syntax = "proto3"; message Review { string id = 1; string text = 2; int64 created_at = 3; }'
)
_READERS: Final[dict[int, Callable[[], Callable[[bytes], object]]]] = {
    1: lambda: avro_reader(json.dumps(_ROW), {}),
    2: lambda: avro_reader(json.dumps(_CHANGE), {}),
    3: lambda: avro_reader(json.dumps(_THREAD), {}),
    4: lambda: protobuf_reader(_PROTO, {}),
}


class _AllKnown:
    """A registry's answers, without the registry."""

    def __init__(self) -> None:
        self._readers = {schema_id: made() for schema_id, made in _READERS.items()}

    def reader_of(self, schema_id: int) -> Callable[[bytes], object]:
        return self._readers[schema_id]


def _proto() -> bytes:
    text = _TEXT.encode()
    size = bytes((len(text) & 0x7F | 0x80, len(text) >> 7))
    return b"\0\x0a\x0242\x12" + size + text


def messages() -> dict[str, bytes]:
    """Return the same review in each format."""
    row = {"id": 42, "text": _TEXT, "created_at": _WHEN}
    change = {"before": None, "after": row, "op": "c"}
    exact = {"review_id": "42", "text": _TEXT, "created_at": "2026-11-30T15:32:10Z"}
    return {
        BASELINE: json.dumps(exact, ensure_ascii=False).encode(),
        "JSON with other fields": json.dumps(row, ensure_ascii=False).encode(),
        "JSON from Debezium": json.dumps(change, ensure_ascii=False).encode(),
        "Avro": wired(1, avro_body(_ROW, row)),
        "Avro from Debezium": wired(2, avro_body(_CHANGE, change)),
        "Avro whose schema holds itself": wired(3, avro_body(_THREAD, row | {"answers": None})),
        "Protobuf": wired(4, _proto()),
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--output", type=Path, default=Path("build/bench/incoming.json"))
    arguments = parser.parse_args()
    reader, rounds = IncomingReader(registered=_AllKnown()), Rounds(BASELINE)
    for _ in range(arguments.rounds):
        for name, value in messages().items():
            started = time.perf_counter()
            for _ in range(arguments.messages):
                reader.read(value)
            seconds = time.perf_counter() - started
            rounds.add("microseconds a message", name, 1e6 * seconds / arguments.messages)
    rounds.report(arguments.output, messages=arguments.messages)


if __name__ == "__main__":
    main()
