"""Masking phone numbers, e-mail addresses, card numbers and street addresses.

Sizes, prices and ids stay. A street address is recognised by its form: a word for a kind of street
(``ул.``, ``проспект``, ...), a name and a house number. Names of people, towns alone, and addresses
that are written in another way are not found: no pattern tells them from what a review says.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from schemas import Review

# All that is masked has a digit or an @, and most reviews have neither.
_TRACE: Final = re.compile(r"[\d@]")
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# 13 to 19 digits, in groups or not (ISO/IEC 7812); the check digit tells a card from an order.
_CARD: Final = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
# Russian numbers: +7 or 8 and ten digits, with the usual separators.
_PHONE: Final = re.compile(r"(?<![\w+-])(?:\+7|8)[\s-]?\(?\d{3}\)?(?:[\s-]?\d){7}(?![\w-])")

# An abbreviation means a street whatever follows; a whole word only before a name ("на улице 30
# градусов" is the weather).
_SHORT: Final = r"(?:ул|пр-к?т|просп|пер|б-р|наб|пр-д|мкр)\b\.?\s*"
_WORD: Final = (
    r"(?:улиц[аеуы]|проспекте?|переулок|переулке|бульваре?|шоссе|набережн(?:ая|ой)|проезде?"
    r"|площад[ьи]|микрорайоне?)"
)
_NAME: Final = r"(?:\d{1,3}(?:-?[а-я]{1,2})?\s+(?:лет\s+)?)?(?:имени\s+|им\.\s*)?[А-ЯЁ][А-Яа-яЁё-]+(?:\s+[А-ЯЁ][а-яё-]+){0,2}"
_ANY_NAME: Final = r"(?:\d{1,3}\s+)?[А-ЯЁа-яё][А-Яа-яЁё.-]+(?:\s+[А-ЯЁа-яё][А-Яа-яЁё-]+){0,2}?"
_HOUSE: Final = (
    r"\s*,?\s*(?:(?:д|дом)\b\.?\s*)?\d{1,4}(?:[/-]\d{1,4})?[А-Яа-я]?(?!\w)"
    r"(?:\s*,?\s*(?:корпус|корп|к|строение|стр|подъезд|этаж)\.?\s*\d{1,3}(?!\w))?"
    r"(?:\s*,?\s*(?:квартира|кв|офис|оф)\.?\s*\d{1,4}(?!\w))?"
)
_ADDRESS: Final = re.compile(
    rf"(?<!\w)(?:{_SHORT}{_ANY_NAME}|{_WORD}\s+{_NAME}"
    # "Невский проспект, 28": the name first.
    rf"|[А-ЯЁ][а-яё-]+(?:ий|ый|ой|ая|ом|ой)\s+(?:{_SHORT}|{_WORD})){_HOUSE}"
)


def redact(text: str) -> str:
    """Return the text with ``[email]``, ``[card]``, ``[phone]`` and ``[address]`` in place of each.

    Idempotent: what one pass uncovers the next one masks.
    """
    while _TRACE.search(text) is not None and (masked := _masked(text)) != text:
        text = masked
    return text


def _masked(text: str) -> str:
    text = _EMAIL.sub("[email]", text)
    text = _CARD.sub(lambda m: "[card]" if _is_card(m[0]) else m[0], text)
    text = _PHONE.sub("[phone]", text)
    return _ADDRESS.sub("[address]", text)


def redacted_review(review: Review) -> Review:
    """Return the review with its text and the producer's own fields redacted; its id stays."""
    return review.model_copy(
        update={
            "text": redact(review.text),
            "metadata": {name: redact(value) for name, value in review.metadata.items()},
        }
    )


def redacted_message(value: bytes | None) -> bytes | None:
    """Redact a message that may be anything.

    Of a JSON object all strings but ``review_id`` are redacted, so that it can still be sent again;
    of anything else whatever is readable. What holds nothing personal stays byte for byte.
    """
    if value is None:
        return None
    text = value.decode("utf-8", "surrogateescape")
    try:
        event = json.loads(text)
        masked = _redacted_part(event)
    except (ValueError, RecursionError):  # no JSON, or nested to break whoever reads it
        event = masked = None
    if not isinstance(event, dict):
        return redact(text).encode("utf-8", "surrogateescape")
    # ASCII: a lone surrogate in the message must not stop its partition.
    return value if masked == event else json.dumps(masked).encode()


def _redacted_part(part: Any) -> Any:
    match part:
        case str():
            return redact(part)
        case list():
            return [_redacted_part(item) for item in part]
        case dict():
            return {k: v if k == "review_id" else _redacted_part(v) for k, v in part.items()}
        case _:
            return part


def _is_card(written: str) -> bool:
    """Tell by the check digit (Luhn's algorithm, ISO/IEC 7812-1 annex B)."""
    digits = [int(c) for c in written if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
