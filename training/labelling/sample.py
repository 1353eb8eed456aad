"""Drawing reviews for a person to check, and keeping the answers."""

from __future__ import annotations

import codecs
import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from schemas import Category
from stream.errors import ReviewsError, not_written
from stream.files.spreadsheet import SafeWriter, unguarded
from stream.private_files import replace_whole
from training.data.files import Suggestion, UnlabelledReview
from training.data.origins import Origin
from training.errors import DataError

COLUMNS: Final = ("id", "text", "category", "labeller", "decided_by")
# Of files that were begun before the last column: they are gone on with as they are.
_FORMER_COLUMNS: Final = COLUMNS[:-1]
# A person gave these already.
_CHECKED: Final = "validated"


def draw_sample(rows: Sequence[Suggestion], count: int, seed: int = 0) -> list[Suggestion]:
    """Return ``count`` reviews at random, or all if they are fewer, in random order.

    Strata are how the run settled a review: sure alone, by agreement, by an aggregator, not at all.
    Each gives its share (largest remainder), so every review is as likely as any other and the
    sample may calibrate a run; disagreements are neither missed nor overstated by chance. The same
    rows, count and seed give the same sample. Of equal texts the first stands for all. Generated
    reviews are never drawn: nothing can be measured on them.
    """
    drawable = [row for row in rows if row.decided_by != _CHECKED and not row.item.synthetic]
    distinct = {row.item.normalized: row for row in reversed(drawable)}
    strata: dict[str, list[Suggestion]] = defaultdict(list)
    for row in reversed(distinct.values()):
        strata[row.decided_by].append(row)
    rng = np.random.default_rng(seed)
    names = sorted(strata)
    shares = _shares([len(strata[name]) for name in names], count)
    drawn = [
        strata[name][int(i)]
        for name, share in zip(names, shares, strict=True)
        for i in rng.permutation(len(strata[name]))[:share]
    ]
    return [drawn[int(i)] for i in rng.permutation(len(drawn))]


def _shares(sizes: Sequence[int], count: int) -> list[int]:
    """Split ``count`` in proportion to sizes; the largest remainders get what is left."""
    total = sum(sizes)
    count = min(count, total)
    exact = [size * count / total for size in sizes]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: count - sum(shares)]:
        shares[i] += 1
    return shares


class CheckedFile:
    """A CSV of a person's labels that grows by a row an answer.

    An answer that a crash or a full disk cut off is taken out of the file: it is asked for again.

    Args:
        path: made with its header if it is not there.

    Raises:
        DataError: it cannot be read or written, or has other columns.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if not path.exists() or not path.stat().st_size:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._append(COLUMNS)
            # The last letter may be cut off as well.
            content = path.read_bytes()
            text = codecs.getincrementaldecoder("utf-8")().decode(content)
            if ",".join(COLUMNS).startswith(text):  # the header itself was cut off
                content, text = b"", ",".join(COLUMNS)
            header, *rows = list(csv.reader(io.StringIO(text, newline="")))
        except OSError as error:
            raise _unusable(path, error) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} is no UTF-8 CSV: {error}", "name a new file") from None
        self._columns = tuple(header)
        if self._columns not in {COLUMNS, _FORMER_COLUMNS}:
            raise DataError(
                f"{path} has columns {', '.join(header)}, not {', '.join(COLUMNS)}",
                "name a new file with --output",
            )
        ended = content.endswith((b"\n", b"\r"))
        self.was_cut_off = bool(rows) and not self._is_whole(rows[-1], ended=ended)
        """Whether the last answer was half-written, and is therefore asked for again."""
        if self.was_cut_off:
            rows.pop()
        if self.was_cut_off or not ended:
            try:
                self._rewrite(rows)
            except OSError as error:
                raise _unusable(path, error) from None
        self.done = {unguarded(row[0]) for row in rows if row}
        """Ids of reviews that have an answer."""

    def add(self, item: UnlabelledReview, category: Category, labeller: str) -> None:
        """Append an answer; it is in the file when this returns.

        Raises:
            DataError: it cannot be written.
        """
        try:
            row = (item.id, item.text, category.slug, labeller, Origin.PERSON.value)
            self._append(row[: len(self._columns)])
        except OSError as error:
            raise _unusable(self._path, error) from None
        self.done.add(item.id)

    def take_back(self, item: UnlabelledReview) -> None:
        """Remove an answer again.

        Raises:
            DataError: the file cannot be written.
        """
        self.done.discard(item.id)
        try:
            with self._path.open(encoding="utf-8", newline="") as file:
                _, *rows = list(csv.reader(file))
            left = [row for row in rows if not row or unguarded(row[0]) != item.id]
            if len(left) == len(rows):
                return
            self._rewrite(left)
        except OSError as error:
            raise _unusable(self._path, error) from None

    def _is_whole(self, row: Sequence[str], *, ended: bool) -> bool:
        """Tell whether the last row is all that was written; what people add by hand may lack its end."""
        if not row or len(row) > len(self._columns):
            return True
        if len(row) < len(self._columns):
            return False
        return ended or self._columns != COLUMNS or row[-1] == Origin.PERSON.value

    def _rewrite(self, rows: Sequence[Sequence[str]]) -> None:
        draft = io.StringIO(newline="")
        writer = SafeWriter(draft)
        for row in [self._columns, *([unguarded(cell) for cell in row] for row in rows)]:
            writer.writerow(row)
        replace_whole(self._path, draft.getvalue(), mode=0o644)

    def _append(self, row: Sequence[str]) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as file:
            SafeWriter(file).writerow(row)


def _unusable(path: Path, error: OSError) -> ReviewsError:
    return not_written(path, error, "name a file in a folder of yours", DataError)
