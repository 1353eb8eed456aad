"""Letters that look like others, stand apart, or stand too close."""

from __future__ import annotations

import re
from typing import Final

# Each pattern begins with what is rare in a text, so that most texts are left after one quick pass.
# Three small letters before the capital and two after it: `чАйНиК` is one word.
_JOINED: Final = re.compile(r"[А-ЯЁ](?<=[а-яё][а-яё][а-яё].)(?=[а-яё][а-яё])")
# Four and more: `размеры S M L` and `и я с` are words of one letter.
_SPACED: Final = re.compile(r"(?<!\w)[^\W\d_](?:\s+[^\W\d_]){3,}(?!\w)")
_SIGNED: Final = re.compile(r"(?<!\w)[^\W\d_]([.\-_*])[^\W\d_](?:\1[^\W\d_]){2,}(?!\w)")
# What either may be found in: two single letters.
_SINGLE: Final = re.compile(r"[\s.\-_*][^\W\d_](?:\s+|[.\-_*])[^\W\d_][\s.\-_*]")
_GAP: Final = re.compile(r"\s+")
_MIXED: Final = re.compile(r"[A-Za-z036](?:(?=[\u0400-\u045f])|(?<=[\u0400-\u045f].))")
_WORD: Final = re.compile(r"[A-Za-z\u0400-\u045f]+")
_DIGIT_INSIDE: Final = re.compile(r"(?<=[а-яёА-ЯЁ])[036](?=[а-яёА-ЯЁ])")
_DIGITS: Final = {"0": "о", "3": "з", "6": "б"}

# Pairs that Unicode's table of confusables has (UTS 39, confusables.txt), and `k`, `m`, `t`, which people
# take for the Cyrillic letters of the same capital.
_LATIN: Final = "ABCEHKMOPTXYaceopxykmt"
_CYRILLIC: Final = "АВСЕНКМОРТХУасеорхукмт"
_TO_CYRILLIC: Final = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN: Final = str.maketrans(_CYRILLIC, _LATIN)
_LOOK_CYRILLIC: Final = frozenset(_LATIN)
_LOOK_LATIN: Final = frozenset(_CYRILLIC)


def split_joined(text: str) -> str:
    """Put a space before a capital inside a word: ``ЧайникТечёт`` is two words."""
    return _JOINED.sub(r" \g<0>", text)


def close_up(text: str) -> str:
    """Join letters that stand apart: ``С А П О Г И`` is one word. Wider gaps part words."""
    before = ""
    # Words of one letter may come out of it, and stand apart in their turn.
    while _SINGLE.search(text) and text != before:
        before = text
        text = _SIGNED.sub(lambda run: run.group().replace(run.group(1), ""), text)
        text = _SPACED.sub(_without_narrow_gaps, text)
    return text


def _without_narrow_gaps(run: re.Match[str]) -> str:
    narrow = min(_width(gap) for gap in _GAP.findall(run.group()))
    return _GAP.sub(lambda gap: "" if _width(gap.group()) == narrow else " ", run.group())


def _width(gap: str) -> int:
    # The end of a line parts words, also where each letter has a line of its own.
    return len(gap) + gap.count("\n")


def one_script(text: str) -> str:
    """Write each word that mixes Latin and Cyrillic letters in the script that it can all be read in.

    A word that can be read in both goes to the script that it has more letters of; one that can be
    read in neither stays.
    """
    if not _MIXED.search(text):
        return text
    return _DIGIT_INSIDE.sub(lambda digit: _DIGITS[digit.group()], _WORD.sub(_in_one_script, text))


def _in_one_script(word: re.Match[str]) -> str:
    letters = word.group()
    latin = [letter for letter in letters if letter <= "z"]
    if not latin or len(latin) == len(letters):
        return letters
    cyrillic = [letter for letter in letters if letter > "z"]
    to_cyrillic = _LOOK_CYRILLIC.issuperset(latin)
    to_latin = _LOOK_LATIN.issuperset(cyrillic)
    if to_cyrillic and (not to_latin or len(cyrillic) >= len(latin)):
        return letters.translate(_TO_CYRILLIC)
    return letters.translate(_TO_LATIN) if to_latin else letters
