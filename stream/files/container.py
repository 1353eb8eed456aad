"""What a file is wrapped in: gzip, zstd, bzip2, xz, zip, or nothing; and which kind of content is inside.

The first bytes decide, never the name: people rename files. What is packed is unpacked in pieces, and
never without end.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final, Literal, cast

from stream.errors import InputError
from stream.files.pieces import PIECE_BYTES, Pieces
from stream.files.unpacking import DAMAGE, Unpacked, unpacker_of

STDIN: Final = Path("-")

Content = Literal["text", "excel", "parquet"]

_MOST_LAYERS: Final = 3
# What workbooks and Parquet need to be read from standard input: a file, as they are read from the end.
_MOST_SPOOLED: Final = 4 * 1024**3

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
            elif unpacked := unpacker_of(head):
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
    return head.startswith((b"PK", _OLE, b"PAR1")) or unpacker_of(head) is not None


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
    except (*DAMAGE, ValueError, struct.error) as error:
        said = "it has a password" if "password" in str(error) else str(error)
        raise InputError(f"{path} cannot be unpacked: {said}", "pack it again") from None
    except NotImplementedError as error:
        raise InputError(f"{path} cannot be unpacked: {error}", "unpack it yourself") from None
    found.file = None
    found.pieces = Pieces(Unpacked(stream, None, path, "zip", info.compress_size))
    found.packing.append("zip")
    found.name = PurePosixPath(info.filename).name
    if head := unpacker_of(found.pieces.peek()):
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
    for piece in iter(lambda: found.pieces.read(PIECE_BYTES), b""):
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
