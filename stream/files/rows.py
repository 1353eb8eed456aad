"""What a reader of files hands on: records of a table, reviews, and rows that are neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import ValidationError

from schemas import Review

_ANY_ID: Final = "-"


class Reason(StrEnum):
    """Why a row was left out, as it is counted."""

    NO_WORDS = "no words in them"
    BROKEN = "broken"
    ENCODING = "of another encoding"
    CONTRACT = "against the contract"
    NO_LABEL = "no known label"
    HEADER = "a header again"

    @property
    def is_fault(self) -> bool:
        """Whether the file, or how it was read, is wrong; a rating without words is no fault."""
        return self in {Reason.BROKEN, Reason.ENCODING}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no review.

    Attributes:
        line: of the file on which the row begins, from 1; in JSON that is no JSON lines, its number.
        problem: in one clause.
        reason: under which it is counted.
        fields: what could be read of it.
    """

    line: int
    problem: str
    reason: Reason = Reason.BROKEN
    fields: Mapping[str, object] = field(default_factory=dict, compare=False)


class Record(NamedTuple):
    """A row of a table, by column.

    Attributes:
        line: as of :class:`BadRow`.
        fields: texts, or what JSON and workbooks have: numbers, dates, nothing.
    """

    line: int
    fields: Mapping[str, object]


@dataclass(slots=True)
class ReviewRow:
    """One review as a file has it; not yet checked against the contract.

    Attributes:
        line: as of :class:`BadRow`.
        review_id: the file's own; None if it has none that names one review.
        text: with its words from all columns that hold some.
        created_at: None if the file does not say, or not in a way that can be read.
        metadata: all other columns, as texts.
        fields: the record that it was made of.
    """

    line: int
    review_id: str | None
    text: str
    created_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def refused_text(self) -> BadRow | None:
        """Return why the contract refuses the text, whatever the rest is; None: it takes it."""
        try:
            Review(review_id=_ANY_ID, text=self.text)
        except ValidationError as error:
            return BadRow(self.line, why_invalid(error), Reason.CONTRACT, self.fields)
        return None

    def to_review(self, review_id: str) -> Review | BadRow:
        """Return the review under this id, or why the contract refuses it."""
        try:
            return Review.model_validate(
                {
                    "review_id": review_id,
                    "text": self.text,
                    "created_at": self.created_at,
                    "metadata": self.metadata,
                }
            )
        except ValidationError as error:
            return BadRow(self.line, why_invalid(error), Reason.CONTRACT, self.fields)


@dataclass(slots=True)
class Remarks:
    """What was noticed in rows that were taken all the same: how often, and where first."""

    counts: Counter[str] = field(default_factory=Counter)
    first_lines: dict[str, int] = field(default_factory=dict)

    def add(self, remark: str, line: int) -> None:
        """Count one more."""
        self.counts[remark] += 1
        self.first_lines.setdefault(remark, line)

    def told(self) -> list[str]:
        """Return one line for each remark."""
        return [
            f"{count:,} {'row' if count == 1 else 'rows'}, first in line "
            f"{self.first_lines[remark]}: {remark}"
            for remark, count in self.counts.items()
        ]


def why_invalid(error: ValidationError) -> str:
    """Say in one clause what is wrong with a review, without quoting its text."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    if where == "text" and first["type"] == "string_pattern_mismatch":
        return "the text is empty"
    if first["type"] == "string_too_long":
        return f"{where}: more than {first['ctx']['max_length']:,} characters"
    return f"{where}: {first['msg']}"
