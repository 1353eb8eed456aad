"""Decompressing in pieces, with every codec that Kafka knows.

Sources: KIP-110 (zstd), KIP-57 (LZ4 frames), the framing of xerial's snappy-java; aiokafka's own
``codec.py``, which decompresses whole batches.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Final, Protocol

import cramjam
import lz4.frame
import zstandard

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
_FEED: Final = 64 * 1024
# Kafka's own writers use windows of up to 8 MiB (zstd level 22 apart); a frame may ask for more
# memory than that only to hurt.
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
_GZIP_WINDOW_BITS: Final = 31
_XERIAL: Final = struct.Struct(">8sii")
_XERIAL_MAGIC: Final = b"\x82SNAPPY\0"
_BLOCK: Final = struct.Struct(">i")


class Undecodable(Exception):
    """The bytes are not what their codec writes, or end too early."""


class PieceSource(Protocol):
    """Decompressed bytes, one piece after the other."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, at least one; none at the end.

        Raises:
            Undecodable: they cannot be decompressed.
        """


def source_of(codec: int, data: bytes, most: int) -> PieceSource:
    """Return what decompresses a batch's records.

    Args:
        codec: number in the batch's attributes; not 0.
        data: compressed.
        most: bytes that a block may say that it becomes, where a codec knows only whole blocks.

    Raises:
        Undecodable: there is no such codec.
    """
    match codec:
        case 1:
            return _Gzip(data)
        case 2:
            return _Snappy(data, most)
        case 3:
            return _Lz4(data)
        case 4:
            return _Zstd(data)
        case _:
            raise Undecodable(f"there is no codec {codec}")


class Plain:
    """Bytes that are not compressed."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        return self._data.read(size)


class _Gzip:
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self._decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
        self._feed = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                # Another member may follow (RFC 1952, 2.2).
                self._feed = self._decoder.unused_data or self._data.read(_FEED)
                if not self._feed:
                    return b""
                self._decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
            self._feed = self._feed or self._data.read(_FEED)
            ended = not self._feed
            try:
                piece = self._decoder.decompress(self._feed, size)
            except zlib.error as error:
                raise Undecodable(f"gzip: {error}") from None
            self._feed = self._decoder.unconsumed_tail
            if piece:
                return piece
            if ended and not self._decoder.eof:
                raise Undecodable("gzip: the data end too early")


class _Lz4:
    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self._decoder = lz4.frame.LZ4FrameDecompressor()
        self._feed = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                self._feed = self._decoder.unused_data or self._data.read(_FEED)
                if not self._feed:
                    return b""
                self._decoder = lz4.frame.LZ4FrameDecompressor()
            ended = False
            if self._decoder.needs_input:
                self._feed = self._feed or self._data.read(_FEED)
                ended = not self._feed
            feed, self._feed = self._feed, b""
            try:
                piece = bytes(self._decoder.decompress(feed, size))
            except (RuntimeError, EOFError, MemoryError) as error:
                raise Undecodable(f"lz4: {error}") from None
            if piece:
                return piece
            if ended and not self._decoder.eof:
                raise Undecodable("lz4: the data end too early")


class _Zstd:
    def __init__(self, data: bytes) -> None:
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._reader = decoder.stream_reader(data, read_size=_FEED, read_across_frames=True)

    def read(self, size: int) -> bytes:
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            raise Undecodable(f"zstd: {error}") from None


class _Snappy:
    """Blocks as xerial writes them, or one block alone; a block is read whole."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._most = most
        framed = len(data) >= _XERIAL.size and data.startswith(_XERIAL_MAGIC)
        self._at = _XERIAL.size if framed else 0
        self._framed = framed
        self._block = io.BytesIO()

    def read(self, size: int) -> bytes:
        while not (piece := self._block.read(size)):
            if self._at >= len(self._data):
                return b""
            self._block = io.BytesIO(self._decompressed(self._next()))
        return piece

    def _next(self) -> bytes:
        if not self._framed:
            self._at, begin = len(self._data), self._at
            return self._data[begin:]
        if len(self._data) - self._at < _BLOCK.size:
            raise Undecodable("snappy: the data end too early")
        (length,) = _BLOCK.unpack_from(self._data, self._at)
        begin = self._at + _BLOCK.size
        if not 0 < length <= len(self._data) - begin:
            raise Undecodable(f"snappy: a block of {length} bytes")
        self._at = begin + length
        return self._data[begin : self._at]

    def _decompressed(self, block: bytes) -> bytes:
        try:
            size = cramjam.snappy.decompress_raw_len(block)
            if size > self._most:
                raise Undecodable(f"snappy: a block that says it becomes {size:,} bytes")
            return bytes(cramjam.snappy.decompress_raw(block))
        except (cramjam.DecompressionError, OSError, ValueError) as error:
            raise Undecodable(f"snappy: {error}") from None
