"""Single values as people's files have them: words or none, ids that are still ids, dates."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from schemas.dates import FIRST_YEAR, LAST_YEAR, read_date

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
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")  # old writers of Parquet do not say that it is text
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

    As :func:`schemas.dates.read_date`; a date without a zone is taken for one in UTC.
    """
    found: datetime | None = None
    if isinstance(value, str) and value[4:5] == "-":
        with suppress(ValueError):  # as programs write dates: first, for most are
            found = datetime.fromisoformat(value)
    elif isinstance(value, date):
        midnight = datetime.combine(value, time(), tzinfo=UTC)
        found = value if isinstance(value, datetime) else midnight
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        found = read_date(value if isinstance(value, str | int | float) else as_text(value))
    if found is None or found.tzinfo is not None:
        return found
    return found.replace(tzinfo=UTC)
