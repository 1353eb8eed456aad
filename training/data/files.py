"""Reading reviews, hand-made labels and recorded votes; nothing else touches these files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from schemas import Category, active_taxonomy, all_categories, category_count
from stream.spreadsheet import unguarded
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


@dataclass(frozen=True, slots=True)
class Item:
    """A review to be labelled: its id, and its text as it was written."""

    id: str
    text: str

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

    item: Item
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
    """

    item: Item
    guess: Category | None = None
    decided_by: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)


def read_items(path: Path) -> list[Item]:
    """Read reviews from CSV or JSON lines with ``text`` and, if they have one, ``id``.

    Raises:
        DataError: absent, unreadable, or a row has no text.
    """
    return [_item(path, number, row) for number, row in enumerate(_rows(path), start=1)]


def read_labelled(path: Path, unstated: Unstated = PERSON_ASSUMED) -> list[LabelledItem]:
    """Read labelled reviews: ``text`` and a ``category`` slug or a ``category_id``.

    Who decided stands in the column ``origin`` or ``decided_by``. Reviews that a labelling run or
    people left open are skipped.

    Args:
        path: of the file.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: absent, unreadable, a row has no known category, or an unknown origin.
    """
    found = [
        (
            LabelledItem(
                _item(path, number, row),
                _category(path, number, row),
                _product(row),
                confidence=_number(row.get("confidence")),
            ),
            _origin(path, number, row),
        )
        for number, row in enumerate(_rows(path), start=1)
        if not _left_open(row)
    ]
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


def read_suggestions(path: Path) -> list[Suggestion]:
    """Read what `reviews label` wrote, or plain reviews, which bring no suggestion.

    Raises:
        DataError: absent, unreadable, a row has no text, or a guess is no known category.
    """
    return [
        Suggestion(
            _item(path, number, row),
            _category(path, number, {"category": row["guess"]}) if row.get("guess") else None,
            str(row.get("decided_by") or ""),
            {str(k): str(v) for k, v in row["reasons"].items()}
            if isinstance(row.get("reasons"), dict)
            else {},
        )
        for number, row in enumerate(_rows(path), start=1)
    ]


def read_votes(path: Path) -> Iterator[tuple[str, str, Category | None, float | None]]:
    """Yield recorded answers: review id, model, category (None: it gave none), confidence.

    Raises:
        DataError: absent, unreadable, or a line names an unknown category.
    """
    for number, row in enumerate(_rows(path), start=1):
        if not row.get("id") or not row.get("model"):
            raise DataError(f"{path}, row {number}: a vote needs id and model", "see the README")
        yield (
            str(row["id"]),
            str(row["model"]),
            _category(path, number, row) if row.get("category") else None,
            _confidence(path, number, row),
        )


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        # Spreadsheets put a byte order mark before the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                # What our own CSV files guard against spreadsheets is taken as it was.
                for cells in csv.DictReader(file):
                    yield {k: unguarded(v) if isinstance(v, str) else v for k, v in cells.items()}
                return
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{path}, line {number}: not a JSON object", "see the README")
                yield row
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}", "name a CSV or JSONL file"
        ) from None
    # RecursionError: JSON that is nested to break whoever reads it.
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"{path} is no UTF-8 CSV or JSON lines: {error}", "convert it") from None


def _item(path: Path, number: int, row: Mapping[str, Any]) -> Item:
    text = row.get("text")
    if not isinstance(text, str):
        columns = ", ".join(str(name) for name in row)
        raise DataError(
            f"{path}, row {number}: there is no column `text`, only {columns}",
            "name the column `text`, and part columns by commas",
        )
    name = str(row.get("id") or row.get("review_id") or f"row-{number}")
    marked = str(row.get("synthetic") or "").lower() in {"true", "1"}
    return Item(name if not marked or name.startswith(SYNTHETIC) else SYNTHETIC + name, text)


def _product(row: Mapping[str, Any]) -> str:
    """Return a review's product; its source stands for it where no column names products."""
    named = row["product"] if "product" in row else row.get("source")
    return "" if named is None else str(named).strip()


def _left_open(row: Mapping[str, Any]) -> bool:
    """Tell whether somebody looked at a review and gave it no category."""
    looked_at = row.get("guess") or row.get("decided_by")
    return bool(looked_at) and not row.get("category") and "category_id" not in row


def _origin(path: Path, number: int, row: Mapping[str, Any]) -> Origin | None:
    """Return who decided a row, None where it does not say.

    ``decided_by`` may hold the name of a labeller of our cascade, or of somebody else's: a name that we
    do not know is taken for a program's, since nothing is lost by measuring on fewer rows.
    """
    if stated := str(row.get("origin") or ""):
        if stated not in ORIGINS:
            raise DataError(
                f"{path}, row {number}: nobody of the origin {stated!r} is known",
                f"use one of {', '.join(ORIGINS)}",
            )
        return ORIGINS[stated]
    by = str(row.get("decided_by") or "")
    if not by:
        return None
    if by in _BY_PEOPLE:
        return Origin.PERSON
    return ORIGINS.get(by, Origin.ENSEMBLE)


def _category(path: Path, number: int, row: Mapping[str, Any]) -> Category:
    try:
        if row.get("category"):
            return _said(str(row["category"]))
        said = row["category_id"]
        # 2.0 is an id that a spreadsheet wrote; 2.7 and true are none.
        number = int(str(said).removesuffix(".0"))
        return all_categories()[range(category_count()).index(number)]
    except (KeyError, ValueError):
        known = ", ".join(category.slug for category in all_categories())
        said = row.get("category") or row.get("category_id")
        raise DataError(
            f"{path}, row {number}: no known category in {said!r}",
            f"name the column `category` and use one of {known}; or `category_id`, 0 to {category_count() - 1}",
        ) from None


def _said(name: str) -> Category:
    """Return the category of a slug, or of a name in any of the taxonomy's languages.

    Raises:
        UnknownCategory: there is none.
    """
    found = active_taxonomy().find(name)
    return Category(name) if found is None else found


def _confidence(path: Path, number: int, row: Mapping[str, Any]) -> float | None:
    """Return how sure whoever gave an answer was, None where it does not say."""
    said = row.get("confidence")
    found = _number(said)
    if found is None and said not in (None, ""):
        raise DataError(
            f"{path}, row {number}: {said!r} is no confidence", "write a number, or nothing"
        )
    return found


def _number(said: object) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        found = float(str(said))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
