"""Files of labels: what each record says of a review, and which category its label names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from schemas import Category, active_taxonomy, all_categories
from stream.categories import why_none
from stream.files.annotation_tools import said_labels
from stream.files.json_shapes import flat
from stream.files.reviews import open_reviews, review_rows
from stream.files.rows import BadRow, Reason
from stream.files.table import Options, Table

_ANYTHING: Final = Options()
_WHOLE: Final = ".0"


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A review with what its file says of it.

    Attributes:
        line: of the file, as of :class:`~stream.files.rows.BadRow`.
        review_id: the file's own, None if there is none.
        text: as it was written.
        said: the labels, as they are written; none if nothing was decided.
        fields: all of the record, inner objects flattened.
    """

    line: int
    review_id: str | None
    text: str
    said: tuple[str, ...]
    fields: Mapping[str, Any]

    def category(self) -> Category | BadRow:
        """Return the category that the label names, or why it names none."""
        if not self.said:
            return BadRow(self.line, "there is no label", Reason.NO_LABEL, self.fields)
        if len(set(self.said)) > 1:
            problem = f"several labels: {', '.join(self.said[:5])}"
            return BadRow(self.line, problem, Reason.NO_LABEL, self.fields)
        found = category_of_label(self.said[0])
        if found is None:
            problem = why_none(self.said[0])
            return BadRow(self.line, problem, Reason.NO_LABEL, self.fields)
        return found


def category_of_label(said: str) -> Category | None:
    """Return the category that people mean: by its slug, a name in any language, or its number.

    >>> category_of_label(" Обувь "), category_of_label("1.0"), category_of_label("2.7")
    ('footwear', 'footwear', None)
    """
    if found := active_taxonomy().find(said):
        return found
    # 2.0 is a number that a spreadsheet wrote.
    number = said.strip().removesuffix(_WHOLE)
    categories = all_categories()
    # Not isdecimal() alone: int() refuses thousands of digits.
    if number.isascii() and number.isdecimal() and len(number) <= len(str(len(categories))):
        return categories[int(number)] if int(number) < len(categories) else None
    return None


@contextmanager
def open_labels(
    path: Path, options: Options = _ANYTHING, file: BinaryIO | None = None
) -> Iterator[Table]:
    """Open a file of labels, and understand it.

    Args:
        path: of the file.
        options: what is known of it.
        file: read instead of opening ``path``, which then only names it.

    Raises:
        InputError: it is absent, damaged, or nothing in it can be told to be texts.
    """
    with open_reviews(path, options, file) as found:
        yield found.table


def label_rows(table: Table) -> Iterator[LabelRow | BadRow]:
    """Yield what each record of a table says.

    Raises:
        InputError: the file breaks off or cannot be understood any more.
    """
    for row in review_rows(table):
        if isinstance(row, BadRow):
            yield row
            continue
        fields = row.fields if table.flat else flat(row.fields)
        yield LabelRow(row.line, row.review_id, row.text, _said(table, fields), fields)


def _said(table: Table, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the first label column that is not empty says."""
    said = (said_labels(fields.get(name)) for name in table.columns.label)
    return next((each for each in said if each), ())
