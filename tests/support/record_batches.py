"""Record batches as they go over the wire, whole and damaged, and a fetch of them."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import cramjam
import lz4.frame
import zstandard
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.codec import gzip_encode, snappy_encode
from aiokafka.consumer.fetcher import MemoryRecords, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from stream.kafka.reading import Bounds, Unreadable, unreadable_in
from stream.kafka.reading.consumer import _Reading

TP = TopicPartition("reviews.incoming", 0)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
READ_COMMITTED = 1
# A broker's retention goes by it: older records may be gone before anybody reads them.
NOW_MS = int(time.time() * 1000)
HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC_AT, _ATTRIBUTES_AT = 17, 21

Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def compressed(codec: int, data: bytes) -> bytes:
    """Return the records of a batch as a codec writes them."""
    match codec:
        case 0:
            return data
        case 1:
            return bytes(gzip_encode(data))
        case 2:
            return bytes(snappy_encode(data))
        case 3:
            return bytes(lz4.frame.compress(data, block_linked=False))
        case 4:
            return bytes(zstandard.compress(data))
        case _:
            return bytes(cramjam.deflate.compress(data))


def batch(
    messages: Sequence[Message], *, base: int = 0, codec: int = 0, transactional: bool = False
) -> bytes:
    """Return a batch of magic 2 with records at the given offset and after."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=int(transactional),
        producer_id=7 if transactional else -1,
        producer_epoch=0 if transactional else -1,
        base_sequence=0 if transactional else -1,
        batch_size=1 << 30,
    )
    for i, (key, value, headers) in enumerate(messages):
        builder.append(i, NOW_MS, key, value, headers)
    plain = bytes(builder.build())
    fields = list(HEADER.unpack_from(plain))
    fields[0], fields[5] = base, fields[5] | codec
    return sealed(HEADER.pack(*fields) + compressed(codec, plain[HEADER.size :]))


def raw_batch(
    records: bytes, count: int, *, base: int = 0, codec: int = 0, **changed: int
) -> bytes:
    """Return a batch around bytes that may be no records, under a right checksum."""
    names = ("attributes", "last_offset_delta")
    attributes, last = (changed.get(name) for name in names)
    fields = [base, 0, 0, 2, 0, codec if attributes is None else attributes]
    fields += [max(count - 1, 0) if last is None else last, 0, 0, -1, -1, -1, count]
    return sealed(HEADER.pack(*fields) + compressed(codec, records))


def sealed(data: bytes) -> bytes:
    """Return a batch with its length and checksum made right again."""
    made = bytearray(data)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">I", made, _CRC_AT, calc_crc32c(bytes(made[_ATTRIBUTES_AT:])))
    return bytes(made)


def legacy(magic: int, messages: Sequence[Message], *, base: int = 0, codec: int = 0) -> bytes:
    """Return messages of an old format; compressed ones in a wrapper."""
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 30)
    for i, (key, value, _) in enumerate(messages):
        builder.append(i, NOW_MS, key, value)
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base + len(messages) - 1 if codec else base)
    return bytes(made)


def varint(number: int) -> bytes:
    """Return a zigzag number."""
    value, out = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def record_bytes(
    delta: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[bytes, bytes]] = ()
) -> bytes:
    """Return one record, the names of its headers as they are given."""
    body = bytearray(b"\0" + varint(0) + varint(delta))
    for field in (key, value):
        body += varint(-1) if field is None else varint(len(field)) + field
    headers = list(headers)
    body += varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name + varint(len(content)) + content
    return varint(len(body)) + bytes(body)


class Fetches:
    """A partition that is fetched until its end, as a consumer of ours does it.

    Args:
        log: all of its batches; or each with its last offset, as a broker's index knows it.
        end: offset after the last.
        bounds: of the consumer.
    """

    def __init__(
        self, log: bytes | Sequence[tuple[int, bytes]], end: int, bounds: Bounds | None = None
    ) -> None:
        self._log = list(_indexed(log)) if isinstance(log, bytes) else log
        self._end = end
        self._reading = _Reading(bounds or Bounds())
        self.fetches = 0

    def read(self, most: int = 1000) -> list[ConsumerRecord]:
        """Read everything.

        Raises:
            AssertionError: it does not come to the end.
        """
        return asyncio.run(self._read(most))

    async def _read(self, most: int) -> list[ConsumerRecord]:
        found: list[ConsumerRecord] = []
        position = 0
        for _ in range(most):
            if position >= self._end:
                return found
            self.fetches += 1
            data = self._from(position)
            reply: Any = SimpleNamespace(
                topics=[(TP.topic, [(TP.partition, 0, self._end, self._end, [], data)])]
            )
            await self._reading.read(reply, {TP: position})
            ((_, ((*_, fetched),)),) = reply.topics
            records = MemoryRecords(fetched) if isinstance(fetched, bytes) else fetched
            if not records.has_next():
                continue
            partition = PartitionRecords(
                TP, records, [], position, None, None, True, READ_COMMITTED
            )
            found += list(partition)
            assert partition.next_fetch_offset > position, "it does not advance"
            position = partition.next_fetch_offset
        raise AssertionError(f"stands at {position} of {self._end} after {self.fetches} fetches")

    def _from(self, position: int) -> bytes:
        """Return the batches from the one that holds an offset."""
        return b"".join(data for last, data in self._log if last >= position)


def _indexed(log: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + HEADER.size <= len(log):
        base, length = struct.unpack_from(">qi", log, at)
        if length < 0:
            break
        (delta,) = struct.unpack_from(">i", log, at + 23) if log[at + 16] >= 2 else (0,)
        yield base + delta, log[at : at + 12 + length]
        at += 12 + length
    if at < len(log):
        yield 2**62, log[at:]


def offsets_told(records: Iterable[ConsumerRecord]) -> list[int]:
    """Return every offset that records are, or stand for, in order."""
    told: list[int] = []
    for record in records:
        stub: Unreadable | None = unreadable_in(record)
        first = record.offset if stub is None else stub.first_offset
        told += range(first, record.offset + 1)
    return told
