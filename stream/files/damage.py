"""Text in pieces, and what is damaged in it: a cut character is replaced, a row of another encoding named."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, Final

from stream.files.encoding import Encoding
from stream.files.pieces import Pieces
from stream.files.rows import BadRow, Reason, Record, Remarks

DAMAGED: Final = "damaged characters were replaced"

_PIECE: Final = 256 * 1024
# A row with so many stray bytes is of another encoding; with fewer, a character was cut in two.
_MOST_STRAY: Final = 3
_STRAY: Final = re.compile("[\udc80-\udcff]{1,3}|[\ud800-\udfff]")


class Decoded:
    """Text in pieces.

    Args:
        pieces: of bytes.
        encoding: of the text.
    """

    def __init__(self, pieces: Pieces, encoding: Encoding) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder(encoding.codec)(encoding.errors)
        self.stray = False
        """Whether bytes were met that are none of the encoding."""
        self.guards = False
        """Whether apostrophes were met, which may guard against formulas."""

    def __iter__(self) -> Iterator[str]:
        while piece := self._pieces.read(_PIECE):
            yield self._judged(self._decoder.decode(piece))
        if rest := self._decoder.decode(b"", final=True):
            yield self._judged(rest)

    def _judged(self, text: str) -> str:
        self.stray = self.stray or not _is_whole(text)
        self.guards = self.guards or "'" in text
        return text


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_damage(rows: Iterator[Record | BadRow], remarks: Remarks) -> Iterator[Record | BadRow]:
    """Yield rows, and instead of a damaged one what :func:`judged` makes of it."""
    for row in rows:
        yield judged(row, remarks) if is_damaged(row) else row


def is_damaged(row: Record | BadRow) -> bool:
    """Tell whether a row holds what no UTF-8 can hold."""
    return not all(_is_whole(value) for value in row.fields.values() if isinstance(value, str))


def judged(row: Record | BadRow, remarks: Remarks) -> Record | BadRow:
    """Return a damaged row without what was cut; one of another encoding as bad."""
    text = "".join(value for value in row.fields.values() if isinstance(value, str))
    stray = sum("\udc80" <= c <= "\udcff" for c in text)
    letters = sum("\x7f" < c < "\ud800" for c in text)
    whole = {name: _replaced(value) for name, value in row.fields.items()}
    if isinstance(row, BadRow):
        return BadRow(row.line, row.problem, row.reason, whole)
    if stray > _MOST_STRAY and stray > letters:
        problem = (
            "not UTF-8 (if it is Windows-1251: --encoding cp1251, or iconv -f cp1251 -t utf-8)"
        )
        return BadRow(row.line, problem, Reason.ENCODING, whole)
    remarks.add(DAMAGED, row.line)
    return Record(row.line, whole)


def _replaced(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _STRAY.sub("\ufffd", value)
