"""Augmentation that leaves the meaning alone: typos as a thumb makes them, and dropped words."""

from __future__ import annotations

from typing import Final

import numpy as np

_KEYBOARDS: Final = (
    ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
)
_LETTERS: Final = 0.04
_WORDS: Final = 0.12
# A shorter text has no word to lose.
_LEAST_WORDS: Final = 4


def _neighbours() -> dict[str, str]:
    near: dict[str, str] = {}
    for rows in _KEYBOARDS:
        for row, letters in enumerate(rows):
            for place, letter in enumerate(letters):
                around = letters[max(0, place - 1) : place] + letters[place + 1 : place + 2]
                if row + 1 < len(rows):
                    around += rows[row + 1][place : place + 1]
                near[letter] = around
    return near


_NEAR: Final = _neighbours()


def disturb(text: str, rng: np.random.Generator) -> str:
    """Return a normalised text with typos, or with words left out, at random.

    The order of letters and words is kept but for swapped neighbours; no digit changes, since sizes
    tell clothes from shoes.
    """
    words = text.split(" ")
    if len(words) >= _LEAST_WORDS and rng.random() < 0.5:  # noqa: PLR2004 - a coin
        kept = [word for word in words if rng.random() >= _WORDS]
        return " ".join(kept or words)
    return " ".join(_mistyped(word, rng) for word in words)


def _mistyped(word: str, rng: np.random.Generator) -> str:
    out = []
    for place, letter in enumerate(word):
        if letter not in _NEAR or rng.random() >= _LETTERS:
            out.append(letter)
            continue
        kind = rng.integers(4)
        if kind == 0:  # left out
            continue
        if kind == 1:  # typed twice
            out += [letter, letter]
        elif kind == 2 and place + 1 < len(word):  # noqa: PLR2004 - the third kind: a neighbour
            out.append(_NEAR[letter][int(rng.integers(len(_NEAR[letter])))])
        elif out:  # swapped with the letter before
            out.insert(len(out) - 1, letter)
        else:
            out.append(letter)
    return "".join(out)
