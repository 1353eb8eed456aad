"""JSON as shops and programs write it: lines, an array, or an object with the list somewhere inside.

An array may be as large as it likes: its elements are decoded one by one from pieces of text. So is an
object: it is walked through, and the elements of its lists are handed on with the path to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stream.errors import InputError

# One element of a list: a review with all that a shop keeps of it.
_MOST_CHARACTERS: Final = 16 * 1024 * 1024
_DEEPEST: Final = 32
_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a list, or a value that stands in none.

    Attributes:
        number: of those with this path, from 1.
        path: the names that lead to the list: ``("data", "feedbacks")``; of a value, to itself.
        value: decoded.
        listed: whether it stands in a list.
    """

    number: int
    path: tuple[str, ...]
    value: Any
    listed: bool


class JsonWalk:
    """Walks through JSON text, piece by piece.

    Args:
        pieces: of the text.
        name: of the file, for messages.
    """

    def __init__(self, pieces: Iterator[str], name: str) -> None:
        self._pieces = pieces
        self._name = name
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def elements(self, *, whole: bool = False) -> Iterator[Element]:
        """Yield what the text holds, until it ends. Values one after the other are read too.

        Args:
            whole: objects that stand in no list are elements themselves, with all that is in them.

        Raises:
            InputError: it is no JSON, or it ends in the middle; the message names the line.
        """
        counts: dict[tuple[str, ...], int] = {}
        while start := self._next_character():
            if whole and start == "{":
                yield self._element((), self._decoded(), counts, listed=True)
            else:
                yield from self._value((), counts)

    def _value(
        self, path: tuple[str, ...], counts: dict[tuple[str, ...], int]
    ) -> Iterator[Element]:
        if len(path) > _DEEPEST:
            raise self._broken("it is nested too deeply")
        start = self._next_character()
        if start == "[":
            yield from self._list(path, counts)
        elif start == "{":
            yield from self._object(path, counts)
        else:
            yield self._element(path, self._decoded(), counts, listed=False)

    def _list(self, path: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> Iterator[Element]:
        self._at += 1
        if self._expect("]", optional=True):
            return
        while True:
            yield self._element(path, self._decoded(), counts, listed=True)
            if self._expect("]", optional=True):
                return
            self._expect(",")

    def _object(
        self, path: tuple[str, ...], counts: dict[tuple[str, ...], int]
    ) -> Iterator[Element]:
        """Walk through an object: its lists and objects are walked through, the rest is one value."""
        self._at += 1
        members: dict[str, Any] = {}
        if not self._expect("}", optional=True):
            while True:
                if self._next_character() != '"':
                    raise self._broken("a name in quotes was expected")
                name = str(self._decoded())
                self._expect(":")
                if self._next_character() in {"[", "{"}:
                    yield from self._value((*path, name), counts)
                else:
                    members[name] = self._decoded()
                if self._expect("}", optional=True):
                    break
                self._expect(",")
        if members:
            yield self._element(path, members, counts, listed=False)

    @staticmethod
    def _element(
        path: tuple[str, ...], value: Any, counts: dict[tuple[str, ...], int], *, listed: bool
    ) -> Element:
        counts[path] = counts.get(path, 0) + 1
        return Element(counts[path], path, value, listed)

    def _expect(self, character: str, *, optional: bool = False) -> bool:
        found = self._next_character()
        if found == character:
            self._at += 1
            return True
        if optional:
            return False
        raise self._broken(f"{character!r} was expected")

    def _next_character(self) -> str:
        """Return the next character that is no white space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _decoded(self) -> Any:
        """Return the value that begins here, with as many pieces as it takes."""
        if not self._next_character():
            raise self._broken("it ends in the middle")
        want, broken_at = 0, self._at
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise self._broken("it is nested too deeply") from None
            except ValueError as error:
                problem = getattr(error, "msg", str(error))
                broken_at = getattr(error, "pos", self._at)
            else:
                # A number may go on in the next piece.
                if end < len(self._text) or self._ended or self._text[end - 1] in '"]}':
                    self._at = end
                    return value
                problem = ""
            size = len(self._text) - self._at
            if size > _MOST_CHARACTERS:
                raise self._broken(f"a value of more than {_MOST_CHARACTERS:,} characters")
            # Tried again only when there is twice as much: else a long value would cost its square.
            want = max(want, 2 * size)
            while len(self._text) - self._at < want and self._more():
                pass
            if len(self._text) - self._at == size:
                self._at = min(broken_at, len(self._text))
                raise self._broken(problem.lower())

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
            return False
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def _broken(self, problem: str) -> InputError:
        line = self._line + self._text.count("\n", 0, self._at)
        begin = self._text.rfind("\n", 0, self._at) + 1
        return InputError(
            f"{self._name} is broken JSON at line {line}, column {self._at - begin + 1}: {problem}",
            "fetch it again, or write it as JSON lines, where one bad line costs no other",
        )


class Written(str):
    """A number as its text."""

    __slots__ = ()


def is_text(value: object) -> bool:
    """Tell whether a value of JSON is a text, and no number as it was written."""
    return isinstance(value, str) and not isinstance(value, Written)


def _none(_: str) -> None:
    """NaN and Infinity stand for nothing."""


# Numbers stay as they are written: an id of twenty digits, a price of 5.10.
_DECODER: Final = json.JSONDecoder(parse_float=Written, parse_int=Written, parse_constant=_none)


def decoded_line(content: str) -> Any:
    """Decode a line.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested to break whoever reads it.
    """
    return _DECODER.decode(content)


def flat(value: Any, most: int = 4) -> dict[str, Any]:
    """Return an object with the members of inner objects beside its own: ``product.name``.

    >>> flat({"id": 1, "product": {"name": "Чайник"}})
    {'id': 1, 'product.name': 'Чайник'}
    """
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and most > 1:
            found |= {f"{name}.{key}": each for key, each in flat(inner, most - 1).items()}
        else:
            found[name] = inner
    return found
