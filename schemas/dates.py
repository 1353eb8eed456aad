"""Dates as people and programs write them: ISO 8601, RFC 2822, epochs, `27.11.2026 10:15`, words.

A date is read only if there is one way to read it: `05/06/2026` is a day in May in one country and in
June in another, and is not read. A date without a time zone stays without one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, timezone
from typing import Final

FIRST_YEAR: Final = 2000
"""Reviews are younger. A smaller number is no count of seconds, but of days."""
LAST_YEAR: Final = 2099

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPREADSHEET_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet knows no zone
# 2000 to 2099, in days since 1970 (Kafka Connect's and Debezium's dates) and since 1899 (Excel's).
# Where both would do, Excel's: the other would be a day after 2069.
_EPOCH_DAYS: Final = (10_957, 36_525)
_SPREADSHEET_DAYS: Final = (36_526, 73_050)
_SECONDS: Final = (946_684_800, 4_102_444_800)
_UNITS: Final = (1, 1_000, 1_000_000, 1_000_000_000)

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_COMPACT: Final = re.compile(r"(?:19|20)\d{6}(?:\d{6})?")
_YEAR_DIGITS: Final = 4
_MONTHS_A_YEAR: Final = 12
_LONGEST: Final = 100
"""Characters of what is looked at: a longer text is no date."""
# What .NET writes: /Date(1790000000000+0300)/. The zone only says where it was written.
_DOT_NET: Final = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")

_TIME: Final = re.compile(
    r"(?<![\d:])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?![\d:])\s*(am|pm)?\b"
)
# After a time, `+03:00`, `GMT+3`, `UTC+0300`, or a name that means one zone everywhere.
_OFFSET: Final = re.compile(r"(?:\b(?:gmt|utc))?([+-])(\d{1,2}):?(\d{2})?(?!\d)")
_ZONES: Final = {"z": 0, "utc": 0, "gmt": 0, "ut": 0, "msk": 3, "мск": 3}
# A zone that is named besides, as Java and browsers do: the offset before it has said all.
_NAMED_ZONE: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
# `10.15` is a quarter past ten to people, and the tenth hour's 15 hundredths to ISO 8601.
_POINT_AFTER_HOUR: Final = re.compile(r"\d[ T]\d{1,2}[.,]")
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[./\-]|[,\s'’]+|.")
_MONTHS: Final = {
    stem: number
    for number, stems in enumerate(
        (
            "january jan январь января янв",
            "february feb февраль февраля фев февр",
            "march mar март марта мар",
            "april apr апрель апреля апр",
            "may май мая",
            "june jun июнь июня июн",
            "july jul июль июля июл",
            "august aug август августа авг",
            "september sep sept сентябрь сентября сен сент",
            "october oct октябрь октября окт",
            "november nov ноябрь ноября ноя нояб",
            "december dec декабрь декабря дек",
        ),
        start=1,
    )
    for stem in stems.split()
}
# Words that say nothing about which day it is.
_WEEKDAYS: Final = (
    "mon tue wed thu fri sat sun tues thur thurs monday tuesday wednesday thursday friday saturday "
    "sunday пн вт ср чт пт сб вс понедельник вторник среда четверг пятница суббота воскресенье"
)
_FILLERS: Final = frozenset(f"{_WEEKDAYS} г год года в at of the st nd rd th t".split())
_SEPARATORS: Final = frozenset("./-")
_KNOWN: Final = _FILLERS | _SEPARATORS | _MONTHS.keys() | _ZONES.keys()


def read_date(value: object) -> datetime | None:
    """Return the moment that a field of JSON names; None if it cannot be read as exactly one.

    Numbers are seconds, milli-, micro- or nanoseconds since 1970, days since 1970, or a
    spreadsheet's days, whichever lies in this century.
    """
    if isinstance(value, dict):
        return _of_object(value)
    if isinstance(value, list):
        return _of_parts(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(float(value)) if abs(value) < _SECONDS[1] * _UNITS[-1] else None
    if isinstance(value, str) and len(value) <= _LONGEST:
        return _of_text(value.strip())
    return None


def _of_object(value: Mapping[str, object]) -> datetime | None:
    """Read MongoDB's ``{"$date": ...}``, and the seconds of Protobuf and Firestore."""
    if len(value) == 1:
        inner = value.get("$date", value.get("$numberLong"))
        return None if inner is None or isinstance(inner, list) else read_date(inner)
    seconds = value.get("seconds", value.get("_seconds"))
    only = value.keys() <= {"seconds", "nanos", "_seconds", "_nanoseconds", "nanoseconds"}
    return read_date(seconds) if only and isinstance(seconds, int | str) else None


def _of_parts(value: Sequence[object]) -> datetime | None:
    """Read ``[2026, 11, 27, 10, 15]``, as Jackson writes a local time of Java; nanoseconds are last."""
    numbers = [part for part in value if isinstance(part, int) and not isinstance(part, bool)]
    if len(numbers) != len(value) or not len("ymd") <= len(numbers) <= len("ymdHMSn"):
        return None
    year, month, day, hour, minute, second, nanos = (*numbers, 0, 0, 0, 0)[: len("ymdHMSn")]
    try:
        moment = datetime(year, month, day, hour, minute, second, nanos // 1_000)  # noqa: DTZ001 - it names no zone
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _of_text(text: str) -> datetime | None:
    if _NUMBER.fullmatch(text):
        return _of_digits(text)
    if (found := _DOT_NET.fullmatch(text)) is not None:
        return _of_number(float(found[1]))
    text = _NAMED_ZONE.sub(" ", text).strip()
    try:
        if _POINT_AFTER_HOUR.search(text) is None:
            return _in_range(datetime.fromisoformat(text))
    except ValueError:
        pass
    return _of_words(text.lower())


def _in_range(moment: datetime) -> datetime | None:
    """Return a moment if it has one in UTC, too: of the first and the last year not all have."""
    return moment if MINYEAR < moment.year < MAXYEAR else None


def _of_number(number: float) -> datetime | None:
    first, last = _SECONDS
    for unit in _UNITS:
        if first <= number / unit < last:
            # Milliseconds are exact in what a float holds; of nanoseconds the last digits are lost.
            return _EPOCH + timedelta(seconds=number / unit)
    if _EPOCH_DAYS[0] <= number <= _EPOCH_DAYS[1]:
        return _EPOCH + timedelta(days=int(number))
    if _SPREADSHEET_DAYS[0] <= number <= _SPREADSHEET_DAYS[1]:
        return _SPREADSHEET_EPOCH + timedelta(seconds=round(number * 86_400))
    return None


def _of_digits(text: str) -> datetime | None:
    if _COMPACT.fullmatch(text):
        form = "%Y%m%d" if len(text) == len("20261127") else "%Y%m%d%H%M%S"
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - it names no zone
        except ValueError:
            pass
    return _of_number(float(text))


def _of_words(text: str) -> datetime | None:
    time = _TIME.search(text)
    clock, zone = (0, 0, 0, 0), None
    if time is not None:
        before, after = text[: time.start()], text[time.end() :]
        read = _clock(time)
        if read is None:
            return None
        clock = read
        if (offset := _OFFSET.search(after)) is not None:
            if (zone := _offset(offset)) is None:
                return None
            after = after[: offset.start()] + " " + after[offset.end() :]
        text = f"{before} {after}"
    return _day(text, clock, zone, twelve_hours=time is not None and time[5] is not None)


def _clock(time: re.Match[str]) -> tuple[int, int, int, int] | None:
    hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
    if time[5] is not None:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - hours of a clock
            return None
        hour = hour % 12 + (12 if time[5] == "pm" else 0)
    return hour, minute, second, int((time[4] or "").ljust(6, "0")[:6])


def _offset(found: re.Match[str]) -> timezone | None:
    away = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    if away >= timedelta(hours=24):
        return None
    return timezone(away if found[1] == "+" else -away)


def _day(
    text: str,
    clock: tuple[int, int, int, int],
    zone: timezone | None,
    *,
    twelve_hours: bool,
) -> datetime | None:
    words = [word for word in _TOKEN.findall(text) if word.strip(", '’\t\n")]
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [word for word in words if word.isdecimal()]
    separators = {word for word in words if word in _SEPARATORS}
    zones = [timezone(timedelta(hours=_ZONES[word])) for word in words if word in _ZONES]
    if not all(word in _KNOWN or word.isdecimal() for word in words):
        return None
    if any(len(number) > _YEAR_DIGITS for number in numbers):
        return None
    if months:
        day = _of_two(numbers, months)
    else:
        day = _of_three(numbers, separators, american=twelve_hours)
    if day is None:
        return None
    try:
        return _in_range(datetime(*day, *clock, tzinfo=zone or next(iter(zones), None)))
    except ValueError:
        return None


def _of_two(numbers: list[str], months: list[int]) -> tuple[int, int, int] | None:
    """Return year, month and day, where a word names the month."""
    if len(numbers) != 2 or len(months) != 1:  # noqa: PLR2004 - day and year
        return None
    (month,) = months
    first, second = numbers
    year, day = (first, second) if len(first) == _YEAR_DIGITS else (second, first)
    return (_year(year), month, int(day)) if len(year) in {2, _YEAR_DIGITS} else None


def _of_three(
    numbers: list[str], separators: set[str], *, american: bool
) -> tuple[int, int, int] | None:
    """Return year, month and day, if there is one way to read the numbers."""
    if len(numbers) != 3 or len(separators) != 1:  # noqa: PLR2004 - one sign between three
        return None
    a, b, c = numbers
    if len(a) == _YEAR_DIGITS:
        return int(a), int(b), int(c)
    if len(c) not in {2, _YEAR_DIGITS}:
        return None
    day_first = (_year(c), int(b), int(a))
    if separators == {"."}:
        return day_first
    if american or int(b) > _MONTHS_A_YEAR:
        return _year(c), int(a), int(b)
    return day_first if int(a) > _MONTHS_A_YEAR or a == b else None


def _year(digits: str) -> int:
    return int(digits) + (FIRST_YEAR if len(digits) < _YEAR_DIGITS else 0)
