"""What aiokafka iterates over instead of its own batches: nothing in it raises."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiokafka.record.control_record import ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import calc_crc32c

from stream.kafka.reading.bounds import Bounds
from stream.kafka.reading.decompression import PieceSource, Plain, Undecodable, source_of
from stream.kafka.reading.records import (
    HEADER_BYTES,
    BatchHeader,
    ByteStream,
    MalformedRecord,
    TooMuch,
    records_in,
    unreadable_batch,
)
from stream.kafka.reading.unreadable import standing_for

_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
OVERHEAD: Final = _OFFSET_AND_LENGTH.size
_MAGIC_AT: Final = 16
_CRC_FROM: Final = 21
_CURRENT_MAGIC: Final = 2
# The least that a message of magic 0 takes, without offset and length.
_LEAST_LENGTH: Final = 14
_LEGACY_ATTRIBUTES_AT: Final = 17
_CODEC: Final = 0x07
_NO_SIZE: Final = -1
_SIZE: Final = struct.Struct(">i")


class Broken(Exception):
    """Checksum or frame of a batch is wrong: another fetch may bring it whole."""


class ReadBatch:
    """A batch as aiokafka's fetcher asks of it.

    Args:
        records: in order; empty for a control batch.
        base_offset: of the first.
        next_offset: after the last.
        header: of a batch of magic 2; None: no transaction is about it.
        control: the record of a control batch.
        held: bytes that it took to decompress.
        partial: whether its last records are left for another fetch.
    """

    def __init__(
        self,
        records: Iterable[Any],
        base_offset: int,
        next_offset: int,
        header: BatchHeader | None = None,
        control: Any = None,
        held: int = 0,
        partial: bool = False,
    ) -> None:
        self._records = records
        self._control = control
        self.held = held
        self.partial = partial
        self.base_offset = base_offset
        self.next_offset = next_offset
        self.is_control_batch = control is not None
        self.is_transactional = header is not None and header.is_transactional
        self.producer_id = header.producer_id if header is not None else None

    def validate_crc(self) -> bool:
        """Return True: it was looked at before."""
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records)

    def __next__(self) -> Any:
        """Return the record of a control batch."""
        return self._control


def framed(data: bytes) -> Iterator[bytes]:
    """Yield the batches of a fetch, the last one cut off if so it came.

    What has an absurd length is yielded with all that follows.
    """
    at = 0
    while at < len(data):
        end = len(data)
        if at + OVERHEAD <= len(data):
            _, length = _OFFSET_AND_LENGTH.unpack_from(data, at)
            if length >= _LEAST_LENGTH:
                end = min(at + OVERHEAD + length, len(data))
        yield data[at:end]
        at = end


def is_whole(batch: bytes) -> bool:
    """Tell whether a batch has the length that it names."""
    if len(batch) < OVERHEAD + _LEAST_LENGTH:
        return False
    _, length = _OFFSET_AND_LENGTH.unpack_from(batch)
    return len(batch) == OVERHEAD + int(length)


def is_compressed(batch: bytes) -> bool:
    """Tell whether a whole batch has to be decompressed, which takes its time."""
    if batch[_MAGIC_AT] < _CURRENT_MAGIC:
        return bool(batch[_LEGACY_ATTRIBUTES_AT] & _CODEC)
    return len(batch) >= HEADER_BYTES and BatchHeader.of(batch).codec != 0


def read_batch(batch: bytes, position: int, end: int, bounds: Bounds) -> ReadBatch:
    """Return a whole batch, decompressed as far as the bounds allow.

    Args:
        batch: as it came.
        position: offset of the first record that is wanted.
        end: offset after the topic's last.
        bounds: of what is held.

    Raises:
        Broken: its checksum is wrong, or it is too short for what it says that it is.
    """
    magic = batch[_MAGIC_AT]
    if magic < _CURRENT_MAGIC:
        return _legacy(batch, position, end, bounds)
    if len(batch) < HEADER_BYTES:
        raise Broken("it is shorter than its header")
    header = BatchHeader.of(batch)
    if magic > _CURRENT_MAGIC:
        raise Broken(f"its format, {magic}, is not known")
    if calc_crc32c(batch[_CRC_FROM:]) != header.crc:
        raise Broken("its checksum is wrong")
    # The offset is not under the checksum.
    if header.last_offset_delta < 0 or not position <= header.last_offset < end:
        raise Broken(f"it names {header.last_offset} as its last offset")
    if header.records > header.last_offset_delta + 1:
        raise Broken(
            f"it names {header.records} records for {header.last_offset_delta + 1} offsets"
        )
    if header.codec == 0:
        return _plain(header, batch, batch, position, bounds)
    return _compressed(header, batch, position, bounds)


def passed_over(batch: bytes, first: int, last: int, why: str) -> ReadBatch:
    """Return what stands for a batch that cannot be read at all."""
    unreadable = unreadable_batch("unreadable-batch", why, first, last, batch)
    return ReadBatch([standing_for(unreadable, 0, 0)], first, last + 1)


def _compressed(header: BatchHeader, batch: bytes, position: int, bounds: Bounds) -> ReadBatch:
    begin = bytearray()
    source: PieceSource
    try:
        source = source_of(header.codec, batch[HEADER_BYTES:], bounds.batch_bytes)
        while (left := bounds.piece_bytes + 1 - len(begin)) > 0 and (piece := source.read(left)):
            begin += piece
    except Undecodable as error:
        source = _Failed(error)
    else:
        if len(begin) <= bounds.piece_bytes:
            return _plain(header, header.uncompressed(begin), batch, position, bounds)
    stream = ByteStream(source, bounds.batch_bytes, bytes(begin))
    held, records = 0, []
    next_offset = header.last_offset + 1
    for record in records_in(header, stream, batch, position - 1, bounds):
        records.append(record)
        held += len(record.value or b"") + len(record.key or b"")
        if held > bounds.piece_bytes and record.offset < header.last_offset:
            # The rest is fetched again, and decompressed to there.
            next_offset = record.offset + 1
            break
    partial = next_offset <= header.last_offset
    return ReadBatch(records, header.base_offset, next_offset, header, held=held, partial=partial)


class _Failed:
    """Goes on with the error that came before."""

    def __init__(self, error: Undecodable) -> None:
        self._error = error

    def read(self, _size: int) -> bytes:
        raise self._error


def _plain(
    header: BatchHeader, batch: bytes, stored: bytes, position: int, bounds: Bounds
) -> ReadBatch:
    """Return a batch that is not compressed, or not any more."""
    next_offset = header.last_offset + 1
    if header.is_control and (control := _control(batch)) is not None:
        return ReadBatch((), header.base_offset, next_offset, header, control)
    records = _parsed(header, batch, stored, position, bounds)
    held = len(batch) if batch is not stored else 0
    return ReadBatch(records, header.base_offset, next_offset, header, held=held)


def _parsed(
    header: BatchHeader, batch: bytes, stored: bytes, position: int, bounds: Bounds
) -> Iterator[Any]:
    """Yield aiokafka's records as long as it reads them, and ours from there."""
    last = header.base_offset - 1
    try:
        for record in DefaultRecordBatch(batch):
            if not last < record.offset <= header.last_offset:
                break
            last = record.offset
            yield record
        else:
            return
    except Exception:  # noqa: BLE001, S110 - whatever it fails with, ours says what is wrong
        pass
    stream = ByteStream(Plain(batch[HEADER_BYTES:]), len(batch))
    yield from records_in(header, stream, stored, max(last, position - 1), bounds)


def _control(batch: bytes) -> Any:
    try:
        record = next(iter(DefaultRecordBatch(batch)))
        ControlRecord.parse(record.key)
    except Exception:  # noqa: BLE001 - then it is no end of a transaction
        return None
    return record


def _legacy(batch: bytes, position: int, end: int, bounds: Bounds) -> ReadBatch:
    """Return messages of magic 0 or 1, which brokers before 4.0 may still hold."""
    (offset,) = struct.unpack_from(">q", batch)
    if not position <= offset < end:
        raise Broken(f"it names {offset} as its last offset")
    try:
        legacy = LegacyRecordBatch(batch, batch[_MAGIC_AT])
        if not legacy.validate_crc():
            raise Broken("its checksum is wrong")  # noqa: TRY301 - as every broken one
        _check_wrapped(batch, bounds)
        records = [record for record in legacy if position <= record.offset <= offset]
    except Broken:
        raise
    except TooMuch:
        why = f"it becomes more than {bounds.piece_bytes:,} bytes"
    except Exception as error:  # noqa: BLE001 - aiokafka's parser fails with anything
        why = f"{type(error).__name__} in a message of magic {batch[_MAGIC_AT]}"
    else:
        return ReadBatch(records, records[0].offset if records else offset, offset + 1)
    return passed_over(batch, position, offset, why)


def _check_wrapped(batch: bytes, bounds: Bounds) -> None:
    """Look at what a wrapper message holds before aiokafka does, which trusts its sizes.

    Raises:
        TooMuch: aiokafka would hold more of it than we may.
        Malformed: what it holds are no whole messages.
        Undecodable: it cannot be decompressed.
    """
    codec = batch[_LEGACY_ATTRIBUTES_AT] & _CODEC
    if codec == 0:
        return
    at = _LEGACY_ATTRIBUTES_AT + 1 + (8 if batch[_MAGIC_AT] == 1 else 0)
    (key,) = _SIZE.unpack_from(batch, at)
    at += _SIZE.size + max(key, 0)
    (value,) = _SIZE.unpack_from(batch, at)
    at += _SIZE.size
    if value == _NO_SIZE:
        return
    source = source_of(codec, batch[at : at + value], bounds.piece_bytes)
    wrapped = bytearray()
    while piece := source.read(bounds.piece_bytes):
        wrapped += piece
        if len(wrapped) > bounds.piece_bytes:
            raise TooMuch
    if not wrapped or not all(is_whole(message) for message in framed(bytes(wrapped))):
        raise MalformedRecord("messages in a message that are not whole")
