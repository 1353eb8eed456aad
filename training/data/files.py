"""Reading reviews, hand-made labels and recorded votes; nothing else touches these files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from schemas import Category, category_count
from stream.categories import any_category, why_none
from stream.errors import ReviewsError
from stream.files import BadRow, Options, Reason, Wanted
from stream.files.checking import is_much
from stream.files.labels import LabelRow, category_of_label, label_rows, open_labels
from stream.files.table import Table
from stream.listing import some
from stream.text import normalize
from training.data.origins import ORIGINS, Origin, counted
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.errors import DataError

SYNTHETIC: Final = "synthetic-"
"""How the id of a generated review begins. The mark is in the id because an id goes wherever a review
goes: through labelling, CSV files, Kafka, and other people's tools that drop columns."""
_CHECK: Final = "check a sample with `reviews label validate FILE`, and name its file of answers"
# What a labelling run writes as `decided_by` where a person's label was given to it, and where nobody
# was sure: a category that stands there all the same was filled in afterwards.
_BY_PEOPLE: Final = frozenset({"validated", "people"})
_REASONS: Final = "reasons."
# More rows that were left out are only counted.
_TOLD_ROWS: Final = 5
# Labels without a category, the most frequent first: a misspelled one may stand on a tenth of the rows.
_TOLD_LABELS: Final = 8
_SAID: Final = 60


@dataclass(frozen=True, slots=True)
class UnlabelledReview:
    """A review to be labelled.

    Attributes:
        id: its id.
        text: as it was written.
        sold: name of the product that it is about, or of its category; empty where nobody asked for it.
    """

    id: str
    text: str
    sold: str = ""

    @property
    def normalized(self) -> str:
        """The text as every labeller sees it."""
        return normalize(self.text)

    @property
    def synthetic(self) -> bool:
        """Whether nobody ever wrote it."""
        return self.id.startswith(SYNTHETIC)


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """A review with the category that it was given, and by whom.

    Attributes:
        item: the review.
        category: that it was given.
        product: what was sold, or where it was sold if only that is known; empty if neither is.
        origin: who decided.
        confidence: how sure whoever decided was, in the file's own measure; None if it gives none.
    """

    item: UnlabelledReview
    category: Category
    product: str = ""
    origin: Origin = Origin.PERSON
    confidence: float | None = None

    @property
    def synthetic(self) -> bool:
        """Whether nobody ever wrote it: see :data:`SYNTHETIC`."""
        return self.item.synthetic


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A review with what a labelling run made of it, for a person to check.

    Attributes:
        item: the review.
        guess: the run's category or best guess; None if the file is no run's output.
        decided_by: how it was settled, "people" where it was not; empty if no run said so.
        reasons: of the labellers that voted, by name.
        confidence: of the guess; None if the file does not say.
        number: of the review in its file, from 0.
    """

    item: UnlabelledReview
    guess: Category | None = None
    decided_by: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None
    number: int = 0


def read_items(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[UnlabelledReview]:
    """Read reviews from any file of them.

    Args:
        path: of the file.
        unstated: what is known of it, and who is told of rows that are left out.

    Raises:
        DataError: absent, unreadable, or rows have no text and nobody is told.
    """
    return [item for item, _ in _readable(path, unstated)]


def read_labelled(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[LabelledItem]:
    """Read labelled reviews: a text, and a category's slug, its name in any language, or its number.

    Who decided stands in the column ``origin`` or ``decided_by``. Reviews that a labelling run or
    people left open are skipped. A row without a known category is left out, if somebody is told: of an
    export that is labelled in part, those that are labelled serve.

    Args:
        path: of the file.
        unstated: what is assumed of rows that do not say who decided, and who is told.

    Raises:
        DataError: absent, unreadable, or an unknown origin; or rows have no known category, and nobody
            is told; or much of the labels are unknown, or no row has any.
    """
    left_out = _LeftOut(path, unstated)
    found = []
    for item, row in _readable(path, unstated, left_out):
        if _left_open(row):
            continue
        category = row.category()
        if isinstance(category, BadRow):
            left_out.add(category, row.said)
            continue
        confidence = _number(row.fields.get("confidence"))
        labelled = LabelledItem(item, category, _product(row.fields), confidence=confidence)
        found.append((labelled, _origin(path, row.line, row.fields)))
    left_out.close(len(found))
    unstated.said_of(path, sum(origin is None for _, origin in found))
    return [
        replace(row, origin=Origin.SYNTHETIC if row.synthetic else origin or unstated.origin)
        for row, origin in found
    ]


def read_measured(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[LabelledItem]:
    """Read labelled reviews that something will be measured or calibrated on.

    Args:
        path: of the file.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: as :func:`read_labelled`, or programs generated or labelled some of them.
    """
    rows = read_labelled(path, unstated)
    if generated := sum(row.synthetic for row in rows):
        raise DataError(
            f"{path} holds {generated} synthetic reviews, and nothing is measured on those",
            f"take out the rows whose id begins with {SYNTHETIC}",
        )
    if guessed := [row.origin for row in rows if not row.origin.may_measure]:
        raise DataError(
            f"{path} holds labels that programs guessed, and nothing is measured on those: "
            f"{counted(guessed)}",
            _CHECK,
        )
    return rows


def read_validated(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[LabelledItem]:
    """Read the sample by which an ensemble is calibrated: people's labels and no others.

    Args:
        path: of the file.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: as :func:`read_measured`, or no person decided some of them.
    """
    rows = read_measured(path, unstated)
    if others := [row.origin for row in rows if not row.origin.by_person]:
        raise DataError(
            f"{path} holds labels that no person decided, and an ensemble is calibrated on people's "
            f"alone: {counted(others)}",
            _CHECK,
        )
    return rows


def read_suggestions(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[Suggestion]:
    """Read what `reviews label` wrote, or plain reviews, which bring no suggestion.

    Raises:
        DataError: as :func:`read_items`, or a guess is no known category.
    """
    return [
        Suggestion(
            item,
            _known(path, row.line, row.fields.get("guess")),
            str(row.fields.get("decided_by") or ""),
            {
                name.removeprefix(_REASONS): str(value)
                for name, value in row.fields.items()
                if name.startswith(_REASONS)
            },
            _number(row.fields.get("confidence")),
            number,
        )
        for number, (item, row) in enumerate(_readable(path, unstated))
    ]


def read_votes(path: Path) -> Iterator[tuple[str, str, Category | None, float | None]]:
    """Yield recorded answers: review id, model, category (None: it gave none), confidence.

    Raises:
        DataError: absent, unreadable, or a line names an unknown category.
    """
    with _opened(path, Options(wanted=Wanted(needs_text=False))) as table:
        for record in table.records:
            if isinstance(record, BadRow):
                raise _bad(path, record)
            row = record.fields
            name = row.get("id") or row.get("review_id")
            if not name or not row.get("model"):
                raise DataError(
                    f"{path}, line {record.line}: a vote needs id and model", "see the README"
                )
            yield (
                str(name),
                str(row["model"]),
                _known(path, record.line, row.get("category")),
                _confidence(path, record.line, row),
            )


class _LeftOut:
    """Rows that are left out: told, counted, and too many of them refused."""

    def __init__(self, path: Path, unstated: Unstated) -> None:
        self._path = path
        self._unstated = unstated
        self._first: BadRow | None = None
        self._first_fault: BadRow | None = None
        self._count = 0
        self._faults = 0
        self._unknown: Counter[str] = Counter()

    def add(self, row: BadRow, said: Sequence[str] | None = None) -> None:
        """Leave a row out.

        Args:
            row: to be left out, and why.
            said: its labels, where it is left out for them. That nobody has labelled a row is no fault
                of the file, however many they are; nor is a rating without words.

        Raises:
            DataError: nobody is told.
        """
        if not self._unstated.tells:
            raise _bad(self._path, row)
        self._first = self._first or row
        self._count += 1
        if row.reason.is_fault if said is None else said:
            self._first_fault = self._first_fault or row
            self._faults += 1
        if said and len(set(said)) == 1:
            self._unknown[said[0][:_SAID]] += 1
        if self._count <= _TOLD_ROWS:
            self._unstated.tell(f"{self._path}, line {row.line}: {row.problem}: left out")

    def close(self, taken: int) -> None:
        """Say how many rows were left out.

        Raises:
            DataError: much of the file was, for a fault; or all of it.
        """
        if self._first is None:
            return
        if self._unknown:
            known = [f"{label!r} ({count:,})" for label, count in self._unknown.most_common()]
            self._unstated.tell(
                f"{self._path}: labels that name no category: {some(known, _TOLD_LABELS)}; `formerly` "
                "in the taxonomy's file takes a label for a category"
            )
        total = taken + self._count
        if self._first_fault and is_much(self._faults, taken + self._faults):
            like_it = f" ({self._faults:,} of {total:,} rows are like it)"
            raise _bad(self._path, self._first_fault, like_it)
        if not taken:
            raise _bad(self._path, self._first, f" ({self._count:,} of {total:,} rows are like it)")
        self._unstated.tell(
            f"{self._path}: {self._count:,} of {total:,} rows were left out, {taken:,} are taken"
        )


def _readable(
    path: Path, unstated: Unstated, left_out: _LeftOut | None = None
) -> Iterator[tuple[UnlabelledReview, LabelRow]]:
    """Yield the rows that hold a text."""
    counted_here = left_out or _LeftOut(path, unstated)
    number = taken = 0
    with _opened(path, unstated.options) as table:
        if unstated.tells:
            unstated.tell(f"{path}: {table.said_of_labels}")
        for row in label_rows(table):
            number += 1
            if isinstance(row, BadRow):
                counted_here.add(row)
                continue
            taken += 1
            yield _item(number, row, unstated.sold), row
        for remark in table.remarks.told():
            unstated.tell(f"{path}: {remark}")
    if left_out is None:
        counted_here.close(taken)


@contextmanager
def _opened(path: Path, options: Options) -> Iterator[Table]:
    try:
        with open_labels(path, options) as table:
            yield table
    except ReviewsError as error:
        if isinstance(error, DataError):
            raise
        named = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise DataError(named, error.remedy) from None


def _bad(path: Path, row: BadRow, more: str = "") -> DataError:
    remedy = "mend the row, or take it out"
    if row.reason is Reason.NO_LABEL:
        remedy = (
            f"name the column `category` and use {any_category()}, a name of theirs, "
            f"or a number, 0 to {category_count() - 1}"
        )
    return DataError(f"{path}, line {row.line}: {row.problem}{more}", remedy)


def _item(number: int, row: LabelRow, sold: str | None) -> UnlabelledReview:
    name = row.review_id or f"row-{number}"
    marked = str(row.fields.get("synthetic") or "").lower() in {"true", "1"}
    return UnlabelledReview(
        name if not marked or name.startswith(SYNTHETIC) else SYNTHETIC + name,
        row.text,
        "" if sold is None else str(row.fields.get(sold) or "").strip(),
    )


def _product(row: Mapping[str, Any]) -> str:
    """Return a review's product; its source stands for it where no column names products."""
    named = row["product"] if "product" in row else row.get("source")
    return "" if named is None else str(named).strip()


def _left_open(row: LabelRow) -> bool:
    """Tell whether somebody looked at a review and gave it no category."""
    looked_at = row.fields.get("guess") or row.fields.get("decided_by")
    return bool(looked_at) and not row.said and "category_id" not in row.fields


def _origin(path: Path, number: int, row: Mapping[str, Any]) -> Origin | None:
    """Return who decided a row, None where it does not say.

    ``decided_by`` may hold the name of a labeller of our cascade, or of somebody else's: a name that we
    do not know is taken for a program's, since nothing is lost by measuring on fewer rows.
    """
    if stated := str(row.get("origin") or ""):
        if stated not in ORIGINS:
            raise DataError(
                f"{path}, line {number}: nobody of the origin {stated!r} is known",
                f"use one of {', '.join(ORIGINS)}",
            )
        return ORIGINS[stated]
    by = str(row.get("decided_by") or "")
    if not by:
        return None
    if by in _BY_PEOPLE:
        return Origin.PERSON
    return ORIGINS.get(by, Origin.ENSEMBLE)


def _known(path: Path, line: int, said: object) -> Category | None:
    """Return the category that something names, None where it is nothing.

    Raises:
        DataError: there is none of this name.
    """
    if said in (None, ""):
        return None
    found = category_of_label(str(said))
    if found is None:
        raise _bad(path, BadRow(line, why_none(str(said)), Reason.NO_LABEL))
    return found


def _confidence(path: Path, number: int, row: Mapping[str, Any]) -> float | None:
    """Return how sure whoever gave an answer was, None where it does not say."""
    said = row.get("confidence")
    found = _number(said)
    if found is None and said not in (None, ""):
        raise DataError(
            f"{path}, line {number}: {said!r} is no confidence", "write a number, or nothing"
        )
    return found


def _number(said: object) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        found = float(str(said))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
