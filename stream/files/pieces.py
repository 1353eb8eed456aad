"""A stream in pieces, whose beginning can be looked at before it is read: a file, or a live pipe."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any, Final

from stream.errors import InputError

HEAD_BYTES: Final = 256 * 1024
"""So much of a file is looked at before it is read."""
PIECE_BYTES: Final = 256 * 1024
"""So much is read at once."""

# How a file begins tells what it is packed in: a tar archive says it last, after 257 bytes.
_MAGIC_BYTES: Final = 512
_PATIENCE_SECONDS: Final = 0.3
"""A pipe that has said nothing for so long is a live one: it is read with what there is."""
_SAMPLE_SECONDS: Final = 1.0
"""How long a live pipe is listened to, to know what it says; longer only for its first line."""


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
            return b"".join(iter(lambda: self.read(PIECE_BYTES), b""))
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._next(size)

    def read1(self, size: int = -1, /) -> bytes:
        """Return the next bytes without waiting for more than one piece."""
        return self.read(size if size >= 0 else PIECE_BYTES)

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
