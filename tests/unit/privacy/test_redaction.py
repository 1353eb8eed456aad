"""What counts as personal data in a line of text, and what does not."""

import json

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from stream.logs import configure_logs
from stream.privacy import redact
from stream.settings import LogSettings


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("звоните +7 (912) 345-67-89", "звоните [phone]"),
        ("тел 89123456789, жду", "тел [phone], жду"),
        ("пишите anna.k@example.co.uk!", "пишите [email]!"),
        ("карта 4111 1111 1111 1111", "карта [card]"),
        ("карта 4111111111111111.", "карта [card]."),
    ],
)
def test_phones_addresses_and_cards_are_masked(text, redacted):
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "размер 42-44, рост 170",
        "заказ 4111 1111 1111 1112",
        "reviews.incoming[3]@123456789012",
        "цена 8 990 рублей",
        "9f2c41d07ab3e655",
    ],
)
def test_sizes_orders_positions_and_versions_stay(text):
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_is_redacting_once(text):
    assert redact(redact(text)) == redact(text)


@pytest.fixture
def _fresh_structlog():
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_fresh_structlog")
def test_logs_are_redacted_unless_told_otherwise(capsys):
    configure_logs(LogSettings(format="json"))
    structlog.get_logger().warning("bad_event", error="from anna@example.com")
    configure_logs(LogSettings(format="json", redact=False))
    structlog.get_logger().warning("bad_event", error="from anna@example.com")
    lines = [json.loads(line)["error"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["from [email]", "from anna@example.com"]
