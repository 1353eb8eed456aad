"""A date is read in any form that means one day, and in no other."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import read_date

MOSCOW = timezone(timedelta(hours=3))


def local(*parts):
    """Return a moment as somebody writes it who names no time zone."""
    return datetime(*parts)  # noqa: DTZ001 - that is what it is for


DAY = local(2026, 11, 27)
MOMENT = local(2026, 11, 27, 10, 15)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-27", DAY),
        ("20261127", DAY),
        ("2026-11-27 10:15:00", MOMENT),
        ("20261127101500", MOMENT),
        ("2026-11-27T10:15:00+0300", MOMENT.replace(tzinfo=MOSCOW)),
        ("2026-11-27T10:15:00Z", MOMENT.replace(tzinfo=UTC)),
        ("2026-11-27 10:15:00 UTC", MOMENT.replace(tzinfo=UTC)),
        ("2026-11-27T10:15:00.123456789Z", MOMENT.replace(microsecond=123456, tzinfo=UTC)),
        ("2026-11-27T10:15:00+03:00[Europe/Moscow]", MOMENT.replace(tzinfo=MOSCOW)),
        ("2026/11/27 10:15", MOMENT),
        ("27.11.2026 10:15", MOMENT),
        ("27.11.2026, 10:15:00", MOMENT),
        ("10:15 27.11.2026", MOMENT),
        ("27.11.26", DAY),
        ("27/11/2026", DAY),
        ("27-11-2026", DAY),
        ("27-Nov-2026", DAY),
        ("11/27/2026 10:15 AM", MOMENT),
        ("5/6/2026 1:05 PM", local(2026, 5, 6, 13, 5)),
        ("11/27/2026 12:15 am", local(2026, 11, 27, 0, 15)),
        ("27 ноября 2026 г. в 10:15", MOMENT),
        ("1 янв. 2026", local(2026, 1, 1)),
        ("Nov 27th, 2026", DAY),
        ("Friday, November 27, 2026", DAY),
        ("Fri, 27 Nov 2026 10:15:00 +0300", MOMENT.replace(tzinfo=MOSCOW)),
        ("Fri, 27 Nov 2026 10:15:00 GMT", MOMENT.replace(tzinfo=UTC)),
        ("Fri Nov 27 10:15:00 MSK 2026", MOMENT.replace(tzinfo=MOSCOW)),
        ("Fri Nov 27 2026 10:15:00 GMT+0300 (Moscow Standard Time)", MOMENT.replace(tzinfo=MOSCOW)),
    ],
)
def test_what_people_and_programs_write(written, means):
    assert read_date(written) == means


@pytest.mark.parametrize(
    "written",
    [
        1_795_774_500,
        1_795_774_500.0,
        1_795_774_500_000,
        1_795_774_500_000_000,
        1_795_774_500_000_000_000,
        "1795774500",
        "1795774500000",
        "/Date(1795774500000+0300)/",
        {"$date": 1_795_774_500_000},
        {"$date": "2026-11-27T10:15:00Z"},
    ],
)
def test_counts_since_1970_in_whatever_unit(written):
    assert read_date(written) == MOMENT.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        [2026, 11, 27, 10, 15],
        [2026, 11, 27, 10, 15, 0, 999],
        {"seconds": 1795774500, "nanos": 0},
        {"_seconds": 1795774500, "_nanoseconds": 0},
        {"$date": {"$numberLong": "1795774500000"}},
    ],
)
def test_what_java_protobuf_firestore_and_mongodb_write(written):
    assert read_date(written).replace(tzinfo=None) == MOMENT


@pytest.mark.parametrize(
    "written", [[], [2026, 11], [2026, 13, 1], [2026.0, 1, 1], ["2026", 1, 1], [True] * 3, {"a": 1}]
)
def test_a_list_or_an_object_that_is_no_date_is_not_read(written):
    assert read_date(written) is None


def test_days_since_1970_are_those_of_kafka_connect_and_later_ones_a_spreadsheets():
    assert read_date(20_784) == DAY.replace(tzinfo=UTC)
    assert read_date(46_353) == DAY
    assert read_date("46353.427083") == MOMENT


@pytest.mark.parametrize(
    "written",
    [
        *(None, "", " ", "NaT", "вчера", "0000-00-00 00:00:00", "31.02.2026", "27.11.2026 25:00"),
        *("2026", "11.2026", "5", "1/2/3", "ноябрь 2026", "27 ноя дек 2026", "12.2026.5"),
        *(True, 5, -1, 1e30, 10**400, float("nan"), float("inf"), [], {}, {"$date": None}),
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9" * 99, "2026-11-27 " * 40),
        *("2026-11-27 10.15", "27.11.2026 10:15 +99:00", "\ud83d", "٢٧", "13:00 pm 1/1/2026"),
    ],
    ids=repr,
)
def test_what_is_no_date_is_not_read(written):
    assert read_date(written) is None


def test_a_date_that_may_be_either_of_two_days_is_not_guessed():
    assert read_date("05/06/2026") is None
    assert read_date("05/05/2026") == local(2026, 5, 5)


@given(st.one_of(st.text(max_size=120), st.text("0123456789:./- TZ+", max_size=40), st.floats()))
def test_nothing_makes_reading_a_date_raise(written):
    found = read_date(written)
    assert found is None or found.astimezone(UTC)
