"""What counts as personal data in a line of text, and what does not."""

import json

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from stream.logs import configure_logs
from stream.privacy import redact, redacted_message
from stream.settings import LogSettings


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("звоните +7 (912) 345-67-89", "звоните [phone]"),
        ("тел 89123456789, жду", "тел [phone], жду"),
        ("пишите anna.k@example.co.uk!", "пишите [email]!"),
        ("карта 4111 1111 1111 1111", "карта [card]"),
        ("карта 4111111111111111.", "карта [card]."),
        ("живу ул. Ленина, д. 5, кв. 12, приезжайте", "живу [address], приезжайте"),
        ("ул ленина 5 кв 3", "[address]"),
        ("доставка на улицу Льва Толстого 16", "доставка на [address]"),
        ("Невский проспект, 28 - магазин", "[address] - магазин"),
        ("улица 50 лет Октября д.3 корп. 2", "[address]"),
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
        "на улице 30 градусов, гуляем 2 часа",
        "в наборе 5 штук, пер. к 5 марта",
    ],
)
def test_sizes_orders_positions_and_versions_stay(text):
    assert redact(text) == text


# Pieces that meet in ways that no single example shows.
_PIECES = st.lists(
    st.sampled_from(
        [
            "ул. ",
            "проспект ",
            "Ленина ",
            "Невский ",
            "д. ",
            "кв. ",
            "5",
            ", ",
            "-",
            "8 ",
            "9123456789",
            "+7",
            " ",
            "12/3",
            "a@b.ru",
            "7",
            "4111111111111111",
            "[address]",
        ]
    )
).map("".join)


@given(st.one_of(st.text(), _PIECES))
def test_redacting_twice_is_redacting_once(text):
    assert redact(redact(text)) == redact(text)


def test_a_redacted_event_can_still_be_sent_again_under_its_id():
    event = {"review_id": "89123456789", "text": "тел 89123456789", "metadata": {"a": "a@b.ru"}}
    masked = json.loads(redacted_message(json.dumps(event).encode()))
    assert masked == {
        "review_id": "89123456789",
        "text": "тел [phone]",
        "metadata": {"a": "[email]"},
    }


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        (b"{broken a@b.ru", b"{broken [email]"),
        (b"\xff a@b.ru", b"\xff [email]"),
        (b'{"a": ' * 100_000 + b"a@b.ru", b'{"a": ' * 100_000 + b"[email]"),
        (b'{ "text" :"\\u0430" }', b'{ "text" :"\\u0430" }'),
        (None, None),
    ],
    ids=["no JSON", "no UTF-8", "nested to break readers", "nothing personal", "no value"],
)
def test_a_message_may_be_anything(value, redacted):
    assert redacted_message(value) == redacted


def test_logs_are_redacted_unless_told_otherwise(capsys):
    configure_logs(LogSettings(format="json"))
    structlog.get_logger().warning("bad_event", error="from anna@example.com")
    configure_logs(LogSettings(format="json", redact=False))
    structlog.get_logger().warning("bad_event", error="from anna@example.com")
    lines = [json.loads(line)["error"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["from [email]", "from anna@example.com"]
