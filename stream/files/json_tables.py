"""Rows of JSON: the objects of JSON lines, or of the list in a document that holds the reviews."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from stream.errors import InputError
from stream.files.annotation_tools import plain_record
from stream.files.columns import Columns, Wanted, known_columns, listed
from stream.files.delimited import lines_of
from stream.files.json_shapes import Element, JsonWalk, decoded_line, flat, is_text
from stream.files.rows import BadRow, Reason, Record
from stream.files.table import LINES, NothingInside

LOOKED_AT: Final = 200
"""Rows of which the fields are looked at."""
_EACH: Final = "*"


def json_lines(pieces: Iterator[str], newline: str) -> Iterator[Record | BadRow]:
    """Yield the objects of JSON lines; a bad line costs no other."""
    number = 0
    for block in lines_of(pieces, newline):
        if block is None:
            number += 1
            yield BadRow(number, "the line is too long")
            continue
        for line in block:
            number += 1
            if content := line.strip():
                yield _of_json_line(number, content.removesuffix(","))


def _of_json_line(number: int, content: str) -> Record | BadRow:
    try:
        value = decoded_line(content)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"not JSON: {error}", Reason.BROKEN, {LINES: content})
    if not isinstance(value, dict):
        return BadRow(number, "not a JSON object", Reason.BROKEN, {LINES: content})
    return Record(number, plain_record(value))


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which elements of JSON are the rows."""

    path: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns | None
    whole: bool = False


def list_in(head: str, name: str, wanted: Wanted, *, complete: bool) -> RowChoice:
    """Find the list of reviews in JSON: of those whose elements have a text, the longest.

    Raises:
        InputError: there is none.
    """
    top = _sampled(head, name, complete=complete, whole=True).get((), [])
    if head.lstrip().startswith("{") and all(isinstance(value, dict) for value in top):
        names = names_of(top)
        columns = _maybe(names, wanted)
        if columns and _hold_text(top, columns) and not any("." in text for text in columns.text):
            return RowChoice((), tuple(names), columns, whole=True)
    samples = _sampled(head, name, complete=complete, whole=False)
    found = [
        (len(values), path, names, columns)
        for path, values in samples.items()
        if (names := names_of(values))
        and (columns := _maybe(names, wanted)) is not None
        and _hold_text(values, columns)
    ]
    if found:
        _, path, names, columns = max(found, key=lambda each: each[0])
        return RowChoice(path, tuple(names), columns)
    texts = [(len(v), p) for p, v in samples.items() if v and all(map(is_text, v))]
    if texts and len(samples) == 1:
        return RowChoice(max(texts)[1], (LINES,), Columns((LINES,)))
    every = names_of([value for values in samples.values() for value in values])
    if complete and not any(samples.values()):
        raise NothingInside(f"{name} holds no rows: every list in it is empty", "export it again")
    raise InputError(
        f"{name}: no list in it has a field that is known to hold the text; there are {listed(every)}",
        "name it with --text-column",
    )


def _sampled(
    head: str, name: str, *, complete: bool, whole: bool
) -> dict[tuple[str, ...], list[Any]]:
    """Return the first elements at each path.

    Raises:
        InputError: all of it was looked at, and it is no JSON from its beginning.
    """
    samples: dict[tuple[str, ...], list[Any]] = {}
    try:
        walk = JsonWalk(iter([head]), name).elements(whole=whole)
        for element in islice(walk, 20 * LOOKED_AT):
            held = samples.setdefault(_place(element), [])
            if len(held) < LOOKED_AT:
                value = element.value
                held.append(plain_record(value) if isinstance(value, dict) else value)
    except InputError:
        if complete and not samples:
            raise
    return samples


def _place(element: Element) -> tuple[str, ...]:
    """Return where an element stands; objects side by side under names of their own are one list."""
    return element.path if element.listed or not element.path else (*element.path[:-1], _EACH)


def _hold_text(values: Sequence[Any], columns: Columns | None) -> bool:
    """Tell whether any of these has a text, and no list in its place."""
    if columns is None:
        return True
    objects = [flat(value) for value in values if isinstance(value, dict)]
    return any(
        value.get(name) is not None and not isinstance(value[name], list)
        for value in objects
        for name in (columns.text or columns.id)
    )


def _maybe(names: Sequence[str], wanted: Wanted) -> Columns | None:
    try:
        return known_columns(names, wanted)
    except InputError:
        return None


def names_of(values: Iterable[object]) -> list[str]:
    """Return the names of all fields in some objects."""
    names: dict[str, None] = {}
    for value in values:
        if isinstance(value, Mapping):
            names |= dict.fromkeys(flat(value))
    return list(names)


def elements(walk: JsonWalk, choice: RowChoice) -> Iterator[Record | BadRow]:
    """Yield the chosen elements as rows."""
    for element in walk.elements(whole=choice.whole):
        value = element.value
        if _place(element) != choice.path or not (
            element.listed or _hold_text([value], choice.columns)
        ):
            continue
        if isinstance(value, dict):
            yield Record(element.number, plain_record(value))
        elif is_text(value) and choice.names == (LINES,):
            yield Record(element.number, {LINES: value})
        elif element.listed:
            yield BadRow(element.number, "not an object", Reason.BROKEN, {LINES: value})
