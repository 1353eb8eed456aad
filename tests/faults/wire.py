"""As much of Kafka's wire protocol as a fault proxy needs: frames and request headers.

Source: https://kafka.apache.org/protocol.html. Every request starts with length (int32), API key
(int16), API version (int16), correlation id (int32), client id (nullable string); every reply with
length and correlation id.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Api(IntEnum):
    """The requests that faults are aimed at."""

    PRODUCE = 0
    FETCH = 1
    METADATA = 3
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


NAMING: Final = frozenset({Api.ADD_PARTITIONS_TO_TXN, Api.ADD_OFFSETS_TO_TXN})
"""What transactions of Kafka's first version send, and those of the second do not (KIP-890)."""

_LENGTH: Final = struct.Struct(">i")
_HEADER: Final = struct.Struct(">hhih")
_CORRELATION: Final = struct.Struct(">i")
# Brokers refuse requests above 100 MiB by default (socket.request.max.bytes).
_MAX_FRAME: Final = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """What identifies a request."""

    api_key: int
    correlation_id: int
    client_id: str


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next whole frame, its length included; None at the end of the stream."""
    try:
        prefix = await reader.readexactly(_LENGTH.size)
        (length,) = _LENGTH.unpack(prefix)
        if not 0 <= length <= _MAX_FRAME:
            return None
        return prefix + await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def request_header(frame: bytes) -> RequestHeader:
    """Parse the header of a request frame."""
    api_key, _, correlation_id, length = _HEADER.unpack_from(frame, _LENGTH.size)
    start = _LENGTH.size + _HEADER.size
    client = frame[start : start + max(length, 0)].decode(errors="replace")
    return RequestHeader(api_key, correlation_id, client)


def reply_correlation(frame: bytes) -> int:
    """Return the correlation id of a reply frame."""
    (correlation,) = _CORRELATION.unpack_from(frame, _LENGTH.size)
    return int(correlation)
