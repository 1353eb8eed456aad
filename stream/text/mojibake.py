"""Text that was decoded with the wrong character set, decoded rightly where that is certain.

Three kinds are certain. UTF-8 that was read as a single-byte set: that the bytes are valid UTF-8 is
proof enough (``ftfy`` does it, and mends what was partly lost). Windows-1251 that was read as Latin-1:
no language writes words of accented letters alone. Windows-1251 and code page 866 that were taken for
each other: box drawings and signs stand inside of words. What is only likely is left as it is.
"""

from __future__ import annotations

import re
from typing import Final

import ftfy

# UTF-8 of Cyrillic or Latin letters, quotes and pictures begins with one of few bytes; as seen through
# a single-byte set these are the characters below, followed by one that is no plain letter.
_UTF8_SEEN: Final = re.compile(
    "[РСГвр\u00c2-\u00d1\u00e2\u00f0\u251c\u2524\u2568\u2564п╨╤][\u0080-\u00bf\u0152-\u02dc\u0402-\u040f\u0450-\u045f\u0490\u0491"
    "\u2013-\u203a\u20ac\u2116\u2122\u2219-\u25a0]"
)
_SINGLE_BYTE: Final = ("koi8-r", "cp866", "mac-cyrillic")
_ACCENTED_WORD: Final = re.compile("[\u00c0-\u00ff\u00a8\u00b8]{3,}")
# Code page 866 has these where Windows-1251 has capitals, and `п` and some letters after it.
_BOX: Final = re.compile("[\u2500-\u259fЄєЇїЎў]")
_LEAST_SIGNS: Final = 3
_SIGN_INSIDE: Final = re.compile(
    "[\u0400-\u045f][\u00a4\u00a6\u00a9\u00ab\u00ac\u00ae][\u0400-\u045f\u00a0-\u00ae]"
)
_LETTER: Final = re.compile(r"[^\W\d_]")
_RUSSIAN: Final = re.compile("[А-Яа-яЁё]")
# A shorter text proves nothing.
_LEAST_LETTERS: Final = 4
_MOSTLY: Final = 0.7


def repair_encoding(text: str) -> str:
    """Return the text as it was before it was decoded wrongly, or as it is where that is not certain."""
    if _UTF8_SEEN.search(text):
        for encoding in _SINGLE_BYTE:
            repaired = _decoded(text, encoding, "utf-8")
            if repaired is not None and len(repaired) < len(text):
                return repaired
        text = ftfy.fix_encoding(text)
    if _mostly_accented(text):
        return _if_russian(
            _decoded(text, "cp1252", "cp1251") or _decoded(text, "latin-1", "cp1251"), text
        )
    if len(_BOX.findall(text)) >= _LEAST_SIGNS:
        return _if_russian(_decoded(text, "cp866", "cp1251"), text)
    if _SIGN_INSIDE.search(text):
        return _if_russian(_decoded(text, "cp1251", "cp866"), text)
    return text


def _decoded(text: str, seen_as: str, really: str) -> str | None:
    try:
        return text.encode(seen_as).decode(really)
    except UnicodeError:
        return None


def _mostly_accented(text: str) -> bool:
    accented = sum(len(word) for word in _ACCENTED_WORD.findall(text))
    return accented > 0 and accented >= _MOSTLY * len(_LETTER.findall(text))


def _if_russian(repaired: str | None, text: str) -> str:
    """Take a repair only if all that it leads to are Russian letters: so no repair leads to another."""
    if repaired is None or _BOX.search(repaired) or _SIGN_INSIDE.search(repaired):
        return text
    letters = len(_LETTER.findall(repaired))
    russian = len(_RUSSIAN.findall(repaired))
    return repaired if letters >= _LEAST_LETTERS and russian == letters else text
