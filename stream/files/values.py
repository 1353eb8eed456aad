"""Single values as people's files have them: words or none, ids that are still ids, dates."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

# What programs write where there is nothing; compared without case and surrounding marks.
_NOTHING: Final = frozenset({
    "", "null", "nil", "none", "nan", "na", "n/a", "\\n", "undefined", "nat", "<na>", "<null>",
    "(null)", "[null]", "#n/a", "#na", "#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!",
    "н/д", "#н/д", "#знач!", "#ссылка!", "#имя?", "#дел/0!", "#число!", "#пусто!", "null.", "nan.",
})  # fmt: skip
_LONGEST_NOTHING: Final = 10
_SCIENTIFIC: Final = re.compile(r"[+-]?\d(?:[.,]\d+)?[Ee]\+?\d{1,3}")
_WHOLE_FLOAT: Final = re.compile(r"(-?\d{1,15})\.0+")
# A spreadsheet keeps fifteen digits of a number; the others become noughts.
_EXACT_BELOW: Final = 10**15
_SMALLEST: Final = 1e-6
_LONGEST_DATE: Final = 64
_CENTURY: Final = 100
_MONTHS_A_YEAR: Final = 12
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("янв jan", "фев feb", "мар mar", "апр apr", "мая май may", "июн jun", "июл jul", "авг aug",
         "сен sep", "окт oct", "ноя nov", "дек dec"), start=1)
    for name in names.split()
}  # fmt: skip
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?:\D+(.*))?")
_WORDED: Final = re.compile(
    r"(\d{1,2})\s+([^\W\d_]{3,})\.?,?\s+(\d{4})(?:\s*г\.?)?(?:\D*?\s+(.*))?"
)
_MONTH_FIRST: Final = re.compile(r"([^\W\d_]{3,})\.?\s+(\d{1,2}),?\s+(\d{4})(?:\D*?\s+(.*))?")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?")
_EPOCH: Final = re.compile(r"\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19}")
_FRACTION: Final = re.compile(r"([.,]\d{6})\d+")
_EARLIEST: Final = 1990
_LATEST: Final = 2100
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def as_text(value: object) -> str:
    """Return a value of JSON, of a workbook or of CSV as text; nothing becomes none.

    >>> as_text(5.0), as_text(True), as_text(None)
    ('5', 'true', '')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return _of_other(value)


def _of_other(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _of_float(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _of_float(value: float) -> str:
    if not math.isfinite(value):
        return ""
    if value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return (
        format(Decimal(repr(value)), "f") if _SMALLEST < abs(value) < _EXACT_BELOW else repr(value)
    )


def whole(text: str) -> str:
    """Return text without halves of characters: what no UTF-8 can hold is marked as damaged."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def is_nothing(text: str) -> bool:
    """Tell whether a cell stands for nothing: empty, or what a program writes instead.

    >>> is_nothing(" NaN "), is_nothing("#Н/Д"), is_nothing("нет")
    (True, True, False)
    """
    return len(text) <= _LONGEST_NOTHING and text.strip().casefold() in _NOTHING


def has_words(text: str) -> bool:
    """Tell whether a text says anything: a letter, a digit, or a picture of something.

    >>> has_words("👍"), has_words("5"), has_words(" -- ")
    (True, True, False)
    """
    if len(text) > _LONGEST_NOTHING:
        if text[0].isalnum():
            return True  # as nearly all do: what follows is slow
    elif is_nothing(text):
        return False
    return any(
        c.isalnum() or ("\u2000" < c != "\ufffd" and unicodedata.category(c) == "So") for c in text
    )


def is_rounded(value: object) -> bool:
    """Tell whether an id went through a spreadsheet that kept only its first digits.

    >>> is_rounded("1,23457E+15"), is_rounded(1.2345678901234567e18), is_rounded("4900001234567890123")
    (True, True, False)
    """
    if isinstance(value, float):
        return abs(value) >= _EXACT_BELOW
    if not isinstance(value, str) or ("E" not in value and "e" not in value):
        return False
    return bool(_SCIENTIFIC.fullmatch(value.strip()))


def id_of(value: object) -> str:
    """Return an id as its shop writes it: a spreadsheet's ``42.0`` is 42."""
    text = as_text(value).strip()
    found = _WHOLE_FLOAT.fullmatch(text) if ".0" in text else None
    return found[1] if found else text


def moment_of(value: object) -> datetime | None:
    """Return the moment that a date names, None if it cannot be read or could be another.

    Understood are ISO 8601, seconds and milliseconds since 1970, and the Russian and English ways:
    "14.10.2026 12:30", "12 мая 2026", "10/14/2026 1:05 PM". Without a zone it is UTC.
    """
    found = _moment(value)
    if found is None or not _EARLIEST <= found.year < _LATEST:
        return None
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    return found if found.tzinfo is UTC else found.astimezone(UTC)


def _moment(value: object) -> datetime | None:
    if isinstance(value, str) and value[4:5] == "-":
        with suppress(ValueError):  # as programs write dates: first, for most are
            return datetime.fromisoformat(value)
    if isinstance(value, date):
        midnight = datetime.combine(value, time(), tzinfo=UTC)
        return value if isinstance(value, datetime) else midnight
    return _moment_of_text(" ".join(as_text(value).split()))


def _moment_of_text(text: str) -> datetime | None:
    if not text or len(text) > _LONGEST_DATE:
        return None
    if _EPOCH.fullmatch(text):
        return _since_1970(int(text))
    for read in (_by_standard, _written_out):
        with suppress(ValueError, OverflowError):
            return read(text)
    return None


def _by_standard(text: str) -> datetime:
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))


def _since_1970(number: int) -> datetime | None:
    while number >= 10**11:
        number //= 1000
    try:
        return datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _written_out(text: str) -> datetime | None:
    if found := _DAY_FIRST.fullmatch(text):
        first, second, year, clock = found.groups()
        day, month = _in_order(int(first), int(second), "." in text[:6], clock or "")
        return _at(_full_year(int(year)), month, day, clock)
    if found := _WORDED.fullmatch(text):
        day_text, name, year, clock = found.groups()
        return _at(int(year), _MONTHS.get(name[:3].casefold(), 0), int(day_text), clock)
    if found := _MONTH_FIRST.fullmatch(text):
        name, day_text, year, clock = found.groups()
        return _at(int(year), _MONTHS.get(name[:3].casefold(), 0), int(day_text), clock)
    return None


def _full_year(year: int) -> int:
    return year if year >= _CENTURY else 2000 + year


def _in_order(first: int, second: int, dotted: bool, clock: str) -> tuple[int, int]:
    """Return day and month. With dots the day is first; with strokes it must be plain which it is.

    Raises:
        ValueError: it may be either.
    """
    if dotted or first > _MONTHS_A_YEAR or first == second:
        return first, second
    if second > _MONTHS_A_YEAR or clock.upper().endswith("M"):
        return second, first
    raise ValueError("day and month may be either")


def _at(year: int, month: int, day: int, clock: str | None) -> datetime:
    found = datetime(year, month, day, tzinfo=UTC)
    hours = _CLOCK.match(clock) if clock else None
    if hours is None:
        return found
    hour, minute, second, half = hours.groups()
    of_day = int(hour) % 12 + (12 if half.upper() == "PM" else 0) if half else int(hour)
    return found + timedelta(hours=of_day, minutes=int(minute), seconds=int(second or 0))
