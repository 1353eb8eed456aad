"""What a file is wrapped in: gzip, zstd, bzip2, xz, zip, or nothing; and which kind of content is inside.

The first bytes decide, never the name: people rename files. What is packed is unpacked in pieces, and
never without end.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import select
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Final, Literal, cast

from stream.errors import InputError

STDIN: Final = Path("-")
HEAD_BYTES: Final = 256 * 1024
"""So much of a file is looked at before it is read."""

Content = Literal["text", "excel", "parquet"]

# A text of reviews packs to a tenth, a table of one repeated line to a hundredth. What unpacks to more
# than this many times its size, and to more than this many bytes, was made to fill a disk.
_MOST_RATIO: Final = 200
_RATIO_FROM: Final = 512 * 1024 * 1024
_MOST_LAYERS: Final = 3
_PIECE: Final = 256 * 1024
# What workbooks and Parquet need to be read from standard input: a file, as they are read from the end.
_MOST_SPOOLED: Final = 4 * 1024**3
# How a file begins tells what it is packed in: a tar archive says it last, after 257 bytes.
_MAGIC_BYTES: Final = 512
_PATIENCE_SECONDS: Final = 0.3
"""A pipe that has said nothing for so long is a live one: it is read with what there is."""
_SAMPLE_SECONDS: Final = 1.0
"""How long a live pipe is listened to, to know what it says; longer only for its first line."""

_DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
_NOT_OURS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF", "a PDF"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "an RTF document"),
)
_MARKUP: Final[tuple[tuple[bytes, str], ...]] = (
    (b"<!doctype html", "a page (HTML)"),
    (b"<html", "a page (HTML)"),
    (b"<table", "a page (HTML)"),
    (b"<?xml", "an XML document"),
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OPEN_AND_SAVE: Final = "open it where it was made, and save it as CSV or xlsx"


class Pieces:
    """A stream whose beginning can be looked at before it is read.

    Args:
        source: read once, in order; ``read1`` is used where there is one, so that what a pipe has
            said is not held back.
        name: of the file, for messages.
    """

    def __init__(self, source: Any, name: str = "the file") -> None:
        self._name = name
        self._read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        self._source = source
        self._head = b""
        self._ended = False
        self._begun_at = 0.0
        self._is_sampled = False
        self.taken = 0
        """Bytes that were read of the source."""

    def peek(self) -> bytes:
        """Return how it begins: enough to tell what it is packed in, if it has so much to say."""
        while len(self._head) < _MAGIC_BYTES and not self._ended:
            if self._head and not self._source_says_more(_PATIENCE_SECONDS):
                break
            self._look_further()
        return self._head

    def peek_lines(self) -> bytes:
        """Return how a text begins: 256 KiB of it, or what a live pipe says within a second.

        There is at least one whole line, however long that takes, unless the text ends before or is
        longer. Asked again, it returns the same.
        """
        while len(self._head) < HEAD_BYTES and not self._ended and not self._is_sampled:
            if b"\n" in self._head and not self._source_says_more(self._patience()):
                break
            self._look_further()
        self._is_sampled = True
        return self._head

    def says_more(self, seconds: float) -> bool:
        """Tell whether there is more to read within this time, or the end."""
        return bool(self._head) or self._ended or self._source_says_more(seconds)

    def _look_further(self) -> None:
        self._head += self._next(HEAD_BYTES - len(self._head))
        self._begun_at = self._begun_at or time.monotonic()

    def _patience(self) -> float:
        """Return how long a live pipe is waited for: a header alone says less than one with a row."""
        left = max(0.0, self._begun_at + _SAMPLE_SECONDS - time.monotonic())
        is_one_line = self._head.find(b"\n") == self._head.rfind(b"\n")
        return left if is_one_line else min(left, _PATIENCE_SECONDS)

    @property
    def whole(self) -> bool:
        """Whether all that there is has been looked at."""
        return self._ended

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most ``size``; all that are left if it is negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE), b""))
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._next(size)

    def read1(self, size: int = -1, /) -> bytes:
        """Return the next bytes without waiting for more than one piece."""
        return self.read(size if size >= 0 else _PIECE)

    def _next(self, size: int) -> bytes:
        try:
            piece = b"" if self._ended or not size else self._read(size)
        except OSError as error:  # a disk or a network that fails
            raise InputError(
                f"{self._name} cannot be read after {self.taken:,} bytes: {error.strerror}",
                "copy it to a disk that is sound",
            ) from None
        self._ended = self._ended or (not piece and size > 0)
        self.taken += len(piece)
        return piece

    def _source_says_more(self, seconds: float) -> bool:
        if hasattr(self._source, "says_more"):
            return bool(self._source.says_more(seconds))
        try:
            descriptor = self._source.fileno()
            return bool(select.select([descriptor], [], [], seconds)[0])
        except (OSError, AttributeError, ValueError):
            return True  # no pipe: a file, or bytes in memory


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


class Opened:
    """An opened file: what it holds, and its bytes.

    Attributes:
        content: which reader it needs.
        name: of what is inside, whose suffix may tell more: "reviews.csv" of "reviews.csv.gz".
        packing: what it was unpacked from, outermost first.
        pieces: of text; what else there is lies in ``file``.
        file: a seekable file of a workbook or of Parquet.
    """

    def __init__(self, outer: Pieces, name: str) -> None:
        self._outer = outer
        self.content: Content = "text"
        self.name = name
        self.packing: list[str] = []
        self.pieces = outer
        self.file: BinaryIO | None = None

    @property
    def bytes_read(self) -> int:
        """How much of the file itself was read."""
        if self.file is not None:
            return self.file.tell() if not self.file.closed else 0
        return self._outer.taken


@contextmanager
def opened(path: Path, file: BinaryIO | None = None) -> Iterator[Opened]:
    """Open a file, or standard input for ``-``, unpack it and tell what it holds.

    Args:
        path: names the file in messages; its suffix is a hint.
        file: read instead of opening ``path``.

    Raises:
        InputError: it is absent, may not be read, is damaged, or of a kind that holds no reviews.
    """
    with ExitStack() as stack:
        if file is None:
            file = stack.enter_context(_standard_input() if path == STDIN else _open(path))
        found = Opened(Pieces(file, str(path)), path.name)
        for _ in range(_MOST_LAYERS):
            head = found.pieces.peek()
            if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                _open_zip(found, file, stack, str(path))
                if found.content == "text":
                    continue  # what was in it may be a workbook
            elif unpacked := _unpacker(head):
                kind, unpack = unpacked
                packed = found.pieces
                found.pieces = Pieces(Unpacked(unpack(packed), packed, str(path), kind))
                found.packing.append(kind)
                found.name = PurePosixPath(found.name).stem
                continue
            elif head.startswith(_OLE):
                _seekable(found, file, stack, "excel")
            elif head.startswith(b"PAR1"):
                _seekable(found, file, stack, "parquet")
            break
        if found.content == "text":
            _refuse_others(found.pieces.peek(), path)
        yield found


def _standard_input() -> BinaryIO:
    """Open standard input anew: Python locks its own at its end, and fails if a thread reads there.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed", "name a file, or pipe the reviews in")
    return open(sys.stdin.fileno(), "rb", closefd=False)


def check_readable(path: Path) -> None:
    """Check that a file can be opened. A pipe is left alone: opening it twice would lose data.

    Raises:
        InputError: the file is absent, a folder, or may not be read.
    """
    if path != STDIN and (path.is_file() or path.is_dir() or not path.exists()):
        with _open(path):
            pass


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", "check the name, or use - for input") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "name a file of reviews"
        ) from None


def is_packed(head: bytes) -> bool:
    """Tell whether bytes begin what must be unpacked, a workbook among them."""
    return head.startswith((b"PK", _OLE, b"PAR1")) or _unpacker(head) is not None


def _unpacker(head: bytes) -> tuple[str, Callable[[Pieces], Any]] | None:
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
    return _DAMAGE if zstandard is None else (*_DAMAGE, zstandard.ZstdError)


def _open_zip(found: Opened, file: BinaryIO, stack: ExitStack, path: str) -> None:
    """Take what a zip holds: a workbook, or one file."""
    _seekable(found, file, stack, "text")
    assert found.file is not None  # noqa: S101 - set in the line above
    try:
        archive = stack.enter_context(zipfile.ZipFile(found.file))
        names = [info.filename for info in archive.infolist()]
        if "[Content_Types].xml" in names or "mimetype" in names or "content.xml" in names:
            _check_workbook(archive, path)
            found.content = "excel"
            return
        info = _only_file(archive, path)
        stream = stack.enter_context(archive.open(info))
    except (*_DAMAGE, ValueError, struct.error) as error:
        said = "it has a password" if "password" in str(error) else str(error)
        raise InputError(f"{path} cannot be unpacked: {said}", "pack it again") from None
    except NotImplementedError as error:
        raise InputError(f"{path} cannot be unpacked: {error}", "unpack it yourself") from None
    found.file = None
    found.pieces = Pieces(Unpacked(stream, None, path, "zip", info.compress_size))
    found.packing.append("zip")
    found.name = PurePosixPath(info.filename).name
    if head := _unpacker(found.pieces.peek()):
        raise InputError(f"{path} holds {found.name}, which is {head[0]}", "unpack it first")


def _only_file(archive: zipfile.ZipFile, path: str) -> zipfile.ZipInfo:
    files = [
        info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not PurePosixPath(info.filename).name.startswith(".")
    ]
    if len(files) != 1:
        held = ", ".join(info.filename for info in files[:5]) or "nothing"
        raise InputError(
            f"{path} holds {len(files)} files: {held}", "unpack it, and name one of them"
        )
    return files[0]


def _check_workbook(archive: zipfile.ZipFile, path: str) -> None:
    """Refuse a workbook that would fill the memory."""
    from stream.files.sheet_size import check_size  # noqa: PLC0415 - only for workbooks

    check_size(archive, path)


def _seekable(found: Opened, file: BinaryIO, stack: ExitStack, content: Content) -> None:
    """Provide a file that can be read from its end."""
    found.content = content
    if found.pieces is found._outer and _can_seek(file):  # noqa: SLF001 - our own
        file.seek(0)
        found.file = file
        return
    copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack does
    for piece in iter(lambda: found.pieces.read(_PIECE), b""):
        copy.write(piece)
        if copy.tell() > _MOST_SPOOLED:
            raise InputError(
                f"{found.name} is larger than {_MOST_SPOOLED // 1024**3} GiB", "name it as a file"
            )
    copy.seek(0)
    found.file = cast("BinaryIO", copy)


def _can_seek(file: BinaryIO) -> bool:
    try:
        return file.seekable() and file.tell() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def _refuse_others(head: bytes, path: Path) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
    for magic, what in _NOT_OURS:
        if head.startswith(magic):
            raise InputError(f"{path} is {what}, no file of reviews", _OPEN_AND_SAVE)
    for magic, what in _MARKUP:
        if start.lower().startswith(magic):
            raise InputError(f"{path} is {what}, whatever its name says", _OPEN_AND_SAVE)
    if head[257:262] == b"ustar":
        raise InputError(f"{path} is a tar archive", "unpack it, and name one of its files")
