"""Masking phone numbers, e-mail addresses and card numbers. Sizes, prices and ids stay.

Postal addresses and names are not found: no pattern tells them from what a review says of a shop.
"""

from __future__ import annotations

import re
from typing import Final

_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# 13 to 19 digits, in groups or not (ISO/IEC 7812); the check digit tells a card from an order.
_CARD: Final = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
# Russian numbers: +7 or 8 and ten digits, with the usual separators.
_PHONE: Final = re.compile(r"(?<![\w+-])(?:\+7|8)[\s-]?\(?\d{3}\)?(?:[\s-]?\d){7}(?![\w-])")


def redact(text: str) -> str:
    """Return the text with ``[email]``, ``[card]`` and ``[phone]`` in place of each. Idempotent."""
    text = _EMAIL.sub("[email]", text)
    text = _CARD.sub(lambda m: "[card]" if _is_card(m[0]) else m[0], text)
    return _PHONE.sub("[phone]", text)


def _is_card(written: str) -> bool:
    """Tell by the check digit (Luhn's algorithm, ISO/IEC 7812-1 annex B)."""
    digits = [int(c) for c in written if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
