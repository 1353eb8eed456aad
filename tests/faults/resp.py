"""As much of Redis' wire protocol as a fault proxy needs: whole replies, and arrays of strings.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP2 and RESP3).
"""

from __future__ import annotations

import asyncio
from typing import Final

_SIMPLE: Final = b"+-:,#(_"
_BULK: Final = b"$=!"
# How many frames each announced element is made of.
_AGGREGATES: Final = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}


async def read_reply(reader: asyncio.StreamReader) -> bytes:
    """Return one whole reply (or request) as it came.

    Raises:
        asyncio.IncompleteReadError: the stream ended.
        ValueError: the bytes are not RESP.
    """
    line = await reader.readuntil(b"\r\n")
    kind = line[:1]
    if kind in _SIMPLE:
        return line
    size = int(line[1:])
    if kind in _BULK:
        return line if size < 0 else line + await reader.readexactly(size + 2)
    if kind in _AGGREGATES:
        count = max(size, 0) * _AGGREGATES[kind]
        return line + b"".join([await read_reply(reader) for _ in range(count)])
    raise ValueError(f"not RESP: {line[:20]!r}")


def elements(reply: bytes) -> list[bytes]:
    """Split an array of bulk strings (an MGET's reply) into its elements, as they came.

    Anything else is one element.
    """
    if not reply.startswith(b"*"):
        return [reply]
    head, _, rest = reply.partition(b"\r\n")
    parts: list[bytes] = []
    for _ in range(int(head[1:])):
        line, _, after = rest.partition(b"\r\n")
        if not line.startswith(b"$"):
            return [reply]
        length = int(line[1:])
        size = length + 2 if length >= 0 else 0  # -1: nil
        parts.append(line + b"\r\n" + after[:size])
        rest = after[size:]
    return parts


def array(parts: list[bytes]) -> bytes:
    """Join elements into an array."""
    return b"*%d\r\n" % len(parts) + b"".join(parts)
