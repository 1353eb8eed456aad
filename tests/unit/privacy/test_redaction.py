"""What counts as personal data in a line of text, and what does not."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.privacy import Kind, redact, redacted_message


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
            "паспорт 4512 345678 ",
            "112-233-445 95",
            "(912) 345-67-89",
            "@anna_k ",
            "тел. ",
            "собака mail точка ru",
            "\u200b",
            "—",
            "Ленина 5, кв. 3",
            "восемь девять один два три четыре пять ",
        ]
    )
).map("".join)


@given(st.one_of(st.text(), _PIECES))
def test_redacting_twice_is_redacting_once(text):
    assert redact(redact(text)) == redact(text)
    everything = redact(text, get_args(Kind))
    assert redact(everything, get_args(Kind)) == everything


def test_a_redacted_event_can_still_be_sent_again_under_its_id():
    event = {"review_id": "89123456789", "text": "тел 89123456789", "metadata": {"a": "a@b.ru"}}
    masked = json.loads(redacted_message(json.dumps(event).encode()))
    assert masked == {
        "review_id": "89123456789",
        "text": "тел [phone]",
        "metadata": {"a": "[email]"},
    }


def test_numbers_and_names_of_fields_are_redacted_too():
    event = {"review_id": "1", "phone": 89123456789, "stars": 5, "a@b.ru": [True, 1.5]}
    masked = json.loads(redacted_message(json.dumps(event).encode()))
    assert masked == {"review_id": "1", "phone": "[phone]", "stars": 5, "[email]": [True, 1.5]}


@pytest.mark.parametrize(
    ("text", "kind", "redacted"),
    [
        ("паспорт 4512 345678", "passport", "паспорт [passport]"),
        ("снилс 112-233-445 95", "snils", "снилс [snils]"),
        ("счёт 40817810099910004312", "account", "счёт [account]"),
        ("пишите @anna_k", "messenger", "пишите [messenger]"),
    ],
)
def test_more_kinds_are_masked_when_they_are_asked_for(text, kind, redacted):
    assert redact(text) == text
    assert redact(text, [kind]) == redacted


def test_what_is_not_masked_stays_as_it_was_written():
    text = "Ｓ\u200b — хороший\u00a0размер, тел ８９１２３４５６７８９!"
    assert redact(text) == "Ｓ\u200b — хороший\u00a0размер, тел [phone]!"


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
