"""What is packed with gzip, bzip2, xz or zstd: unpacked in pieces, as far as it is believable."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final, cast

from stream.errors import InputError
from stream.files.pieces import Pieces

DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
"""What libraries raise at packed bytes that are damaged."""
# A text of reviews packs to a tenth, a table of one repeated line to a hundredth. What unpacks to more
# than this many times its size, and to more than this many bytes, was made to fill a disk.
_MOST_RATIO: Final = 200
_RATIO_FROM: Final = 512 * 1024 * 1024


class Unpacked:
    """What was packed, in pieces, as far as it is believable.

    Args:
        stream: unpacks as it is read.
        packed: what it reads from.
        name: of the file, for messages.
        kind: for messages: "gzip".
        packed_bytes: how much is packed where ``packed`` cannot tell.
    """

    def __init__(
        self, stream: Any, packed: Pieces | None, name: str, kind: str, packed_bytes: int = 0
    ) -> None:
        self._stream = stream
        self._packed = packed
        self._packed_bytes = packed_bytes
        self._name = name
        self._kind = kind
        self._unpacked = 0

    def says_more(self, seconds: float) -> bool:
        """Tell whether what it is unpacked from has more within this time."""
        return self._packed is None or self._packed.says_more(seconds)

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            InputError: it is damaged, or unpacks to far more than it is.
        """
        try:
            piece = cast("bytes", self._stream.read(size))
        except _damage() as error:
            said = str(error) or "it ends too early"
            raise InputError(
                f"{self._name} is damaged {self._kind}: {said}", "fetch or pack it again"
            ) from None
        self._unpacked += len(piece)
        taken = self._packed.taken if self._packed else self._packed_bytes
        if self._unpacked > max(_RATIO_FROM, _MOST_RATIO * taken):
            raise InputError(
                f"{self._name} unpacks to more than {_MOST_RATIO} times its size",
                "unpack it yourself if you trust it, and name what comes out",
            )
        return piece


def unpacker_of(head: bytes) -> tuple[str, Callable[[Pieces], Any]] | None:
    """Return what something is packed with, by how it begins, and what unpacks it; None: it is not."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip", lambda packed: _ByPieces(gzip.GzipFile(fileobj=cast("Any", packed)))
    if head.startswith(b"BZh"):
        return "bzip2", lambda packed: _ByPieces(bz2.BZ2File(cast("Any", packed)))
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz", lambda packed: _ByPieces(lzma.LZMAFile(cast("Any", packed)))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return "zstd", _zstd
    return None


class _ByPieces:
    """A library's file, read without waiting for more than one piece."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        return cast("bytes", self._file.read1(size))


def _zstd(packed: Pieces) -> Any:
    import zstandard  # noqa: PLC0415 - seldom needed

    # A window of more would be asked for only to fill the memory.
    window = 128 * 1024 * 1024
    unpacker = zstandard.ZstdDecompressor(max_window_size=window)
    return unpacker.stream_reader(cast("Any", packed), read_across_frames=True)


def _damage() -> tuple[type[Exception], ...]:
    zstandard = sys.modules.get("zstandard")
    return DAMAGE if zstandard is None else (*DAMAGE, zstandard.ZstdError)
