"""The records of one batch, read tolerantly and in bounded memory.

aiokafka's own parser is faster and is asked first. This one goes on where it gives up: names of
headers that are not UTF-8 (a broker does not look at them), records above a bound, batches that end
too early or hold more than they say.

Source: Kafka's protocol guide, record batch and record format of magic 2.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from stream.kafka.reading.bounds import Bounds
from stream.kafka.reading.decompression import PieceSource, Undecodable
from stream.kafka.reading.unreadable import HEAD_BYTES, ParsedRecord, Unreadable, standing_for

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = _HEADER.size
_CODEC: Final = 0x07
_LOG_APPEND_TIME: Final = 0x08
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_READ_BYTES: Final = 64 * 1024
_VARINT_BYTES: Final = 10


class MalformedRecord(Exception):
    """The bytes are no record."""


class TooMuch(Exception):
    """A batch becomes more than its bound."""


class BatchHeader(NamedTuple):
    """What a batch says of itself, in the order of the wire."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int
    """How many; fewer than offsets where compaction has been."""

    @classmethod
    def of(cls, data: Any) -> BatchHeader:
        """Read the header at the beginning of a batch of at least :data:`HEADER_BYTES`."""
        return cls(*_HEADER.unpack_from(data))

    @property
    def last_offset(self) -> int:
        """Of the last record, whether or not compaction has left it."""
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> int:
        """How the records are compressed; 0: not."""
        return self.attributes & _CODEC

    @property
    def is_transactional(self) -> bool:
        """Whether a transaction's end decides about it."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Whether it is such an end."""
        return bool(self.attributes & _CONTROL)

    @property
    def timestamp_type(self) -> int:
        """0: when it was made; 1: when the broker wrote it."""
        return int(bool(self.attributes & _LOG_APPEND_TIME))

    def timestamp(self, delta: int) -> int:
        """Return a record's timestamp, milliseconds."""
        return self.max_timestamp if self.timestamp_type else self.first_timestamp + delta

    def uncompressed(self, records: bytes | bytearray) -> bytes:
        """Return the batch with its records as they are now. Its checksum is not made anew."""
        attributes = self.attributes & ~_CODEC
        return _HEADER.pack(*self._replace(attributes=attributes)) + records


class ByteStream:
    """Reads a source exactly, and no more of it than is asked for.

    Args:
        source: of the bytes.
        most: bytes that may come out of it.
        begin: bytes that came out already.
    """

    def __init__(self, source: PieceSource, most: int, begin: bytes = b"") -> None:
        self._source = source
        self._most = most
        self._produced = len(begin)
        self._buffer = begin
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether there is nothing more."""
        return not self._filled()

    def exactly(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            Malformed: there are fewer.
            TooMuch: the bound is passed.
            Undecodable: they cannot be decompressed.
        """
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next bytes, a bounded piece at a time. Raises as :meth:`exactly`."""
        while size > 0:
            if not self._filled():
                raise MalformedRecord("it ends too early")
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def varint(self) -> tuple[int, int]:
        """Return the next zigzag number and how many bytes it took. Raises as :meth:`exactly`."""
        number = 0
        for i in range(_VARINT_BYTES):
            if not self._filled():
                raise MalformedRecord("it ends too early")
            byte = self._buffer[self._at]
            self._at += 1
            number |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:  # noqa: PLR2004 - the continuation bit
                return (number >> 1) ^ -(number & 1), i + 1
        raise MalformedRecord("a number without end")

    def _filled(self) -> bool:
        if self._at < len(self._buffer):
            return True
        left = self._most - self._produced
        self._buffer, self._at = self._source.read(min(_READ_BYTES, left) or 1), 0
        if self._buffer and left <= 0:
            raise TooMuch
        self._produced += len(self._buffer)
        return bool(self._buffer)


@dataclass(slots=True)
class _Field:
    """A key or a value of which only the beginning is kept."""

    size: int
    head: bytes
    sha256: str


def records_in(
    header: BatchHeader, stream: ByteStream, stored: bytes, after: int, bounds: Bounds
) -> Iterator[ParsedRecord]:
    """Yield the records of a batch in order; what cannot be read is one record at the end.

    Args:
        header: the batch's.
        stream: its records, decompressed.
        stored: the whole batch as it is on the broker, to tell of it.
        after: offset after which to begin.
        bounds: of what is held.
    """
    last = header.base_offset - 1
    try:
        for _ in range(header.records):
            record = _record(header, stream, last, bounds)
            last = record.offset
            if last > after:
                yield record
        why = "" if stream.ended and header.records >= 0 else f"more than {header.records} records"
        code: Any = "unreadable-batch"
    except TooMuch:
        code, why = "too-large", f"it becomes more than {bounds.batch_bytes:,} bytes"
    except (MalformedRecord, Undecodable) as error:
        code, why = "unreadable-batch", str(error)
    first = max(last, after, header.base_offset - 1) + 1
    if why and first <= header.last_offset:
        timestamp = max(header.max_timestamp, 0)
        unreadable = unreadable_batch(code, why, first, header.last_offset, stored)
        yield standing_for(unreadable, timestamp, header.timestamp_type)


def unreadable_batch(code: Any, why: str, first: int, last: int, stored: bytes) -> Unreadable:
    """Return what stands for a run of offsets of which only the batch as stored can be told."""
    # What is wrong must not be a producer's to write: it goes into headers and logs.
    message = f"the record batch cannot be read: {why}"[:300]
    digest = hashlib.sha256(stored).hexdigest()
    return Unreadable(code, message, first, last, len(stored), digest, stored[:HEAD_BYTES])


def _record(header: BatchHeader, stream: ByteStream, last: int, bounds: Bounds) -> ParsedRecord:
    length, _ = stream.varint()
    if length < 0:
        raise MalformedRecord(f"a record of {length} bytes")
    body = _Body(stream, length)
    body.exactly(1)  # attributes, of which none is used
    timestamp = header.timestamp(body.varint())
    offset = header.base_offset + body.varint()
    if not last < offset <= header.last_offset:
        raise MalformedRecord(f"offset {offset} after {last} of at most {header.last_offset}")
    if length > bounds.piece_bytes:
        return _told_of(header, body, offset, timestamp, bounds)
    key = body.field()
    value = body.field()
    headers = [(body.text(), body.field()) for _ in range(body.count())]
    if body.left:
        raise MalformedRecord(f"{body.left} bytes after a record")
    return ParsedRecord(offset, timestamp, header.timestamp_type, key, value, headers)


def _told_of(
    header: BatchHeader, body: _Body, offset: int, timestamp: int, bounds: Bounds
) -> ParsedRecord:
    """Read a record to its end without keeping it."""
    key, value = body.passed(), body.passed()
    headers = body.left
    body.pass_rest()
    unreadable = Unreadable(
        "too-large",
        f"the message is {_size(key) + _size(value) + headers:,} bytes; "
        f"at most {bounds.piece_bytes:,} are read",
        offset,
        offset,
        value.size if value else None,
        value.sha256 if value else "",
        value.head if value else b"",
        key.size if key else None,
        headers,
    )
    return standing_for(unreadable, timestamp, header.timestamp_type, key.head if key else None)


def _size(field: _Field | None) -> int:
    return field.size if field is not None else 0


class _Body:
    """The bytes of one record: nothing is read beyond them."""

    def __init__(self, stream: ByteStream, length: int) -> None:
        self._stream = stream
        self.left = length

    def exactly(self, size: int) -> bytes:
        self._take(size)
        return self._stream.exactly(size)

    def varint(self) -> int:
        number, size = self._stream.varint()
        self._take(size)
        return number

    def field(self) -> bytes | None:
        size = self.varint()
        return None if size < 0 else self.exactly(size)

    def text(self) -> str:
        # Not UTF-8: kept readable. It must be possible to write it again.
        return (self.field() or b"").decode("utf-8", "replace")

    def count(self) -> int:
        count = self.varint()
        if not 0 <= count <= self.left:  # each takes two bytes at least
            raise MalformedRecord(f"{count} headers in {self.left} bytes")
        return count

    def passed(self) -> _Field | None:
        size = self.varint()
        if size < 0:
            return None
        self._take(size)
        digest, head = hashlib.sha256(), b""
        for piece in self._stream.pieces(size):
            digest.update(piece)
            if len(head) < HEAD_BYTES:
                head = (head + piece)[:HEAD_BYTES]
        return _Field(size, head, digest.hexdigest())

    def pass_rest(self) -> None:
        for _ in self._stream.pieces(self.left):
            pass
        self.left = 0

    def _take(self, size: int) -> None:
        if size > self.left:
            raise MalformedRecord(f"{size} bytes where a record has {self.left} left")
        self.left -= size
