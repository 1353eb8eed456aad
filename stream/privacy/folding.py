"""What a text looks like to a pattern: one way of writing each digit, dash and space.

A number can be written in full-width digits, with long dashes, or with letters of no width between
its figures. Patterns see the folded text; what they find is masked in the text as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, get_args

from stream.privacy.kinds import Kind

BARRIER: Final = "\ue000"
"""Stands for what is masked already. It is no letter, digit, space or mark: no pattern crosses it."""
UNMARKED: Final = rf"(?<![\w{BARRIER}])"
"""Neither a letter, a digit nor a mask stands before what follows."""

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u30fc\ufe58\ufe63\uff0d"
_SPACES: Final = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_ONE_TO_ONE: Final = str.maketrans(
    {**dict.fromkeys(_DASHES, "-"), **dict.fromkeys(_SPACES, " "), BARRIER: "?", "\u3002": "."}
)
_MASK: Final = re.compile(rf"\[(?:{'|'.join(get_args(Kind))})\]")
# What is neither ASCII nor Russian; most reviews have nothing of it.
_FOREIGN: Final = re.compile(r"[^\t-\r -~А-Яа-яЁё«»№…“”„’‘]+")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Mn", "Me"})


class Folded:
    """A text, folded, and where each of its characters stood.

    Args:
        text: as it was written.
    """

    def __init__(self, text: str) -> None:
        self.text = _MASK.sub(lambda mask: BARRIER * len(mask[0]), text.translate(_ONE_TO_ONE))
        self._origins: list[int] | None = None
        if _FOREIGN.search(self.text) is not None:
            self.text, self._origins = _one_form(self.text)

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the text as written a stretch of the folded text stands."""
        if self._origins is None:
            return start, end
        return self._origins[start], self._origins[end - 1] + 1

    def hide(self, spans: list[tuple[int, int]]) -> None:
        """Put barriers over stretches of the folded text."""
        parts, last = [], 0
        for start, end in spans:
            parts += [self.text[last:start], BARRIER * (end - start)]
            last = end
        self.text = "".join([*parts, self.text[last:]])


def _one_form(text: str) -> tuple[str, list[int]]:
    """Return the folded text and, for each of its characters and its end, where that stood."""
    # No object a character: the collector of garbage would look at each of them again and again.
    parts: list[str] = []
    origins: list[int] = []
    last = 0
    for foreign in _FOREIGN.finditer(text):
        parts.append(text[last : foreign.start()])
        origins += range(last, foreign.start())
        for at, character in enumerate(foreign[0], foreign.start()):
            folded = _folded(character)
            parts.append(folded)
            for _ in folded:
                origins.append(at)
        last = foreign.end()
    parts.append(text[last:])
    origins += range(last, len(text) + 1)
    return "".join(parts), origins


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if unicodedata.category(character) in _UNSEEN:
        return ""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character == BARRIER:
        return character
    plain = unicodedata.normalize("NFKC", character).translate(_ONE_TO_ONE)
    return "".join(c for c in plain if unicodedata.category(c) not in _UNSEEN)
