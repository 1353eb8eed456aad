"""Ids: the same one for the same text every time, and those that stand for more than one review."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from typing import Any, Final

from stream.files.rows import ReviewRow

# Memory must not grow with the file: of more texts than these no occurrences are counted, of more rows
# no ids compared. 100 and 24 bytes each.
_MOST_TEXTS: Final = 1_000_000
_MOST_IDS: Final = 1_000_000


def derived_id(text: str, occurrence: int = 0) -> str:
    """Return the same id for the same text every time.

    Args:
        text: the review as written.
        occurrence: how many equal texts came before it in the same file, so that equal lines stay
            different reviews and the whole file can be sent again under the same ids.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"text-{digest}" if occurrence == 0 else f"text-{digest}-{occurrence + 1}"


class IdDeriver:
    """Gives rows without an id a derived one."""

    def __init__(self) -> None:
        self._seen: Counter[int] = Counter()

    def id_of(self, row: ReviewRow) -> str:
        """Return the row's own id, or one derived from its text."""
        if row.review_id:
            return row.review_id
        key = hash(row.text)
        occurrence = self._seen[key]
        if occurrence or len(self._seen) < _MOST_TEXTS:
            self._seen[key] = occurrence + 1
        return derived_id(row.text, occurrence)


class IdLedger:
    """Finds ids under which a file has more than one text, and rows that it has twice."""

    def __init__(self) -> None:
        self._ids, self._texts, self._lines = array("q"), array("q"), array("q")
        self.complete = True
        """Whether all rows were compared; the first million is."""

    def add(self, line: int, review_id: str, text: str) -> None:
        """Take note of a row."""
        if len(self._ids) < _MOST_IDS:
            self._ids.append(hash(review_id))
            self._texts.append(hash(text))
            self._lines.append(line)
        else:
            self.complete = False

    def shared(self) -> tuple[int, list[tuple[int, int]]]:
        """Return how many rows have another's id with a text of their own, and lines of the first."""
        import numpy as np  # noqa: PLC0415 - for files with ids alone

        differs, first, lines = self._compared()
        rows = np.flatnonzero(differs)
        return len(rows), [(int(lines[first[row]]), int(lines[row])) for row in sorted(rows)[:3]]

    def repeated(self) -> int:
        """Return how many rows are another one again, id and text."""
        import numpy as np  # noqa: PLC0415 - likewise

        ids, texts = np.array(self._ids), np.array(self._texts)
        pairs = np.unique(np.stack([ids, texts], axis=1), axis=0) if len(ids) else ids
        return len(ids) - len(pairs)

    def _compared(self) -> tuple[Any, Any, Any]:
        import numpy as np  # noqa: PLC0415 - likewise

        ids, texts, lines = (np.array(a) for a in (self._ids, self._texts, self._lines))
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        of_first = first[inverse]
        return texts != texts[of_first], of_first, lines
