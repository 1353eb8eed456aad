"""Text that is no table of reviews, though each of its lines could be taken for one.

A page of a shop's cabinet named report.xls, a letter, a dump of a database, YAML, an answer that only
says what went wrong: published line by line they would be reviews that nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from stream.errors import InputError
from stream.files.columns import role_of

_LOOKED_AT: Final = 64 * 1024
_LINES: Final = 40
_SAVE: Final = "open it where it was made, and save it as CSV or xlsx"

_PAGE: Final = re.compile(
    r"\s*<(?:!doctype\b|!--|html\b|head\b|meta\b|style\b|body\b|table\b|\?xml\b)", re.IGNORECASE
)
# An element with an element in it; what a text is marked up with is none.
_ELEMENTS: Final = re.compile(r"\s*<([a-z][\w:.-]*)(?:\s[^<>]*)?>\s*<[a-z]", re.IGNORECASE)
_OF_TEXTS: Final = frozenset(
    [
        "p",
        "div",
        "span",
        "b",
        "i",
        "u",
        "s",
        "a",
        "em",
        "strong",
        "font",
        "br",
        "ul",
        "ol",
        "li",
        "h1",
        "h2",
        "h3",
        "center",
    ]
)
_HEADERS: Final = re.compile(r"(?:From .*\n)?(?:[A-Z][A-Za-z-]*: .*\n(?:[ \t].*\n)*){2}")
_OF_LETTERS: Final = re.compile(
    r"^(?:received|mime-version|message-id|return-path|delivered-to|content-type):",
    re.IGNORECASE | re.MULTILINE,
)
_DUMP_BEGINS: Final = re.compile(
    r"\s*(?:--|/\*|insert\b|create\b|drop\b|set\b|begin\b|use\b|copy\b|lock\b)", re.IGNORECASE
)
_STATEMENT: Final = re.compile(
    r"^\s*(?:insert\s+into|create\s+table|copy)\s+\S+.*(?:\(|\bfrom stdin)",
    re.IGNORECASE | re.MULTILINE,
)
_NAME_AND_VALUE: Final = re.compile(r"\s*(?:- )?[\"']?([^\W\d][\w .-]{0,39}?)[\"']?\s*:(?:\s|$)")
_MOST: Final = 0.8
_BETWEEN_COLUMNS: Final = re.compile(r"\s{2,}|\s*[^\w\s№-]+\s*")
_OF_ANSWERS: Final = frozenset({"message", "data", "body", "content"})
_WENT_WRONG: Final = frozenset({"error", "errors", "fail", "failed", "failure"})


def refuse_other_kinds(text: str, path: str) -> None:
    """Refuse a text that is a page, a letter or a dump.

    Raises:
        InputError: it is one.
    """
    head = text[:_LOOKED_AT]
    found = _ELEMENTS.match(head)
    if _PAGE.match(head):
        raise InputError(f"{path} is a page (HTML), whatever its name says", _SAVE)
    if found and found[1].lower() not in _OF_TEXTS:
        raise InputError(f"{path} is an XML document, whatever its name says", _SAVE)
    if _HEADERS.match(head) and _OF_LETTERS.search(head.partition("\n\n")[0]):
        raise InputError(
            f"{path} is a letter or a saved page (MIME)", "save its table as CSV or xlsx"
        )
    if _DUMP_BEGINS.match(head) and _STATEMENT.search(head):
        raise InputError(f"{path} is a dump of a database (SQL)", "export the table as CSV")


def refuse_no_lines(text: str, path: str) -> None:
    """Refuse lines that are no texts: a header whose delimiter nobody knows, names with their values.

    Raises:
        InputError: they are.
    """
    lines = [line for line in islice(text[:_LOOKED_AT].splitlines(), _LINES) if line.strip()]
    names = [name for name in _BETWEEN_COLUMNS.split(lines[0].strip()) if name]
    if len(names) > 1 and _are_columns(names) == len(names):
        raise InputError(
            f"{path}: its first line names columns, {', '.join(names)}, and nothing tells what parts them",
            "name it with --delimiter, or save it as CSV",
        )
    keys = [found[1] for line in lines if (found := _NAME_AND_VALUE.match(line))]
    if len(lines) > 1 and len(keys) >= _MOST * len(lines) and _are_columns(set(keys)) > 1:
        raise InputError(
            f"{path}: its lines are names and values ({keys[0]}: ...), a review in several of them",
            "save it as CSV or JSON; or say --format lines",
        )


def _are_columns(names: list[str] | set[str]) -> int:
    """Return how many of these name columns, if one of them is that of a text; else none."""
    roles = [found[0] for name in names if (found := role_of(name)) is not None]
    return len(roles) if {"text", "pros", "cons"} & set(roles) else 0


def refuse_answer_of_an_error(body: object, path: str) -> None:
    """Refuse an answer of a shop's API that holds no list, and says that something went wrong.

    Raises:
        InputError: it is one.
    """
    if not isinstance(body, Mapping) or any(v and isinstance(v, list) for v in body.values()):
        return
    texts = {name for name in body if _are_columns([name])}
    if any(name.lower() not in _OF_ANSWERS for name in texts):
        return
    is_failure = str(body.get("status")).lower() in _WENT_WRONG
    if is_failure or body.get("error") or body.get("errors"):
        raise InputError(
            f"{path} is no list of reviews but an answer that something went wrong: {_said(body)}",
            "ask for the reviews again, and look at what comes",
        )


def _said(body: Mapping[str, Any]) -> str:
    held = body.get("error") or body.get("errors") or body
    inner = held.get("message", held) if isinstance(held, Mapping) else held
    return repr(str(inner)[:80])
