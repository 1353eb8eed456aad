"""Slugs for labels as people write them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from schemas.taxonomy import MAX_SLUG

# GOST 7.79 system B, without the signs that a slug cannot have.
_LATIN: Final = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "yo",
            "zh",
            "z",
            "i",
            "j",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "h",
            "c",
            "ch",
            "sh",
            "shh",
            "",
            "y",
            "",
            "e",
            "yu",
            "ya",
        ],
        strict=True,
    )
)


def slug_of(label: str) -> str:
    """Return a slug for a label; empty where none of its characters can stand in one.

    >>> slug_of("Refund_not_showing_up?")
    'refund_not_showing_up'
    >>> slug_of("Бытовая техника")
    'bytovaya-tehnika'
    """
    latin = "".join(_LATIN.get(char, char) for char in label.casefold())
    plain = unicodedata.normalize("NFKD", latin).encode("ascii", "ignore").decode()
    parted = re.sub(r"[^a-z0-9_]+", "-", plain)
    # One sign between two words, and none at the ends.
    return re.sub(r"[-_]*-[-_]*|_+", lambda m: "-" if "-" in m[0] else "_", parted)[
        :MAX_SLUG
    ].strip("-_")


def name_of(label: str) -> str:
    """Return a name for people: a label of a program's kind with blanks and a capital letter.

    >>> name_of("card_arrival")
    'Card arrival'
    >>> name_of("Детям и мамам")
    'Детям и мамам'
    """
    if re.fullmatch(r"[\w.-]+\??", label) and re.search(r"[_-]", label):
        words = re.sub(r"[_-]+", " ", label).strip()
        return words[:1].upper() + words[1:]
    return label.strip()
