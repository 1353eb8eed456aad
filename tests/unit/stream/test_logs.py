"""What a log line may hold: short, visible values without personal data and without passwords."""

import json
import logging

import pytest
import structlog

from stream.logs import MAX_VALUE, SILENT_SECONDS, SeldomRepeated, configure_logs
from stream.settings import LogSettings


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys, **fields):
    structlog.get_logger().warning("said", **fields)
    return json.loads(capsys.readouterr().err)


def test_logs_are_redacted_unless_told_otherwise(capsys):
    configure_logs(LogSettings(format="json"))
    assert lines(capsys, error="from anna@example.com")["error"] == "from [email]"
    configure_logs(LogSettings(format="json", redact=False))
    assert lines(capsys, error="from anna@example.com")["error"] == "from anna@example.com"


def test_the_kinds_that_are_set_are_masked(capsys):
    configure_logs(LogSettings(format="json"), ["messenger"])
    assert lines(capsys, a="@anna_k a@b.ru")["a"] == "[messenger] a@b.ru"


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [
        "\x1b[2J\x1b]0;owned\x07",
        "\x9b2J",
        b"\x1b[31m",
        {"key": ["\x1b[31m"]},
        ValueError("\x1b[1m"),
    ],
    ids=["C0", "C1", "bytes", "nested", "error"],
)
def test_no_control_character_reaches_the_line(capsys, form, value):
    configure_logs(LogSettings(format=form))
    structlog.get_logger().warning("said", key=value)
    logging.getLogger("a.library").error("said %s", value)
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in said)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_value_with_a_line_break_makes_no_second_line(capsys, form):
    configure_logs(LogSettings(format=form))
    structlog.get_logger().warning("said", key="a\n2026-01-01 [info] forged")
    assert capsys.readouterr().err.count("\n") == 1


def test_a_value_is_cut_before_anything_looks_at_it(capsys):
    configure_logs(LogSettings(format="json"))
    key = lines(capsys, key=" " * 10_000_000)["key"]
    assert len(key) < MAX_VALUE + 50
    assert key.endswith("… (9,998,000 more characters)")


def test_a_traceback_keeps_its_lines_and_loses_what_is_personal(capsys):
    configure_logs(LogSettings(format="json"))
    try:
        int("\x1b[2J from anna@example.com")
    except ValueError:
        structlog.get_logger().exception("failed")
    said = json.loads(capsys.readouterr().err)["exception"]
    assert "\n" in said
    assert "\x1b" not in said
    assert "anna" not in said.rpartition("ValueError")[2]


def test_passwords_in_addresses_are_hidden(capsys):
    configure_logs(LogSettings(format="json"))
    said = lines(capsys, error="no answer of http://me:sekret@host:1/x")["error"]
    assert said == "no answer of http://**********@host:1/x"


@pytest.mark.parametrize(
    ("address", "shown"),
    [("('127.0.0.1', 9092)", "127.0.0.1:9092"), ("('::1', 9092, 0, 0)", "[::1]:9092")],
)
def test_the_address_of_a_server_that_cannot_be_reached_is_no_telephone_number(
    capsys, address, shown
):
    said = f"[Errno 111] Connect call failed {address}, call +7 912 345-67-89"
    configure_logs(LogSettings(format="json"))
    assert lines(capsys, error=said)["error"].endswith(f"failed {shown}, call [phone]")


def test_figures_and_positions_stay(capsys):
    configure_logs(LogSettings(format="json"))
    said = lines(
        capsys, offset=123456789012, at="reviews.incoming[3]@123456789012", took=1.5, none=None
    )
    assert said["offset"] == 123456789012
    assert said["at"] == "reviews.incoming[3]@123456789012"
    assert said["took"] == 1.5
    assert said["none"] is None
    assert said["timestamp"].startswith("20")


def test_a_library_that_lost_its_broker_says_so_once_and_later_how_often(capsys):
    configure_logs(LogSettings(format="json"))
    for partition in range(500):
        logging.getLogger("aiokafka.consumer.fetcher").error("no leader of %s", partition)
        logging.getLogger("another.library").warning("said %s", partition)
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert [line for line in said if "leader" in line] == ["no leader of 0"]
    assert len(said) == 501, "what other libraries say is not left out"


def test_after_a_minute_it_is_said_again_with_what_was_left_out():
    seldom = SeldomRepeated()

    def said(second, message="no leader of %s (100%%)"):
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 1, message, (second,), None)
        record.created = 1_700_000_000 + second
        return record.getMessage() if seldom.filter(record) else None

    assert said(0) == "no leader of 0 (100%)"
    assert [said(second) for second in range(1, 50)] == [None] * 49
    assert said(50, "coordinator %s is dead") == "coordinator 50 is dead"
    last = int(SILENT_SECONDS)
    assert said(last) == f"no leader of {last} (100%) (and 49 more like it)"
