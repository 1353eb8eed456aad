"""JSON in whatever encoding: what single broken characters cost is these characters."""

from __future__ import annotations

import json
import re
from typing import Final

from schemas.errors import NotJson

REPLACEMENT: Final = "\ufffd"
"""What stands for a character that was cut."""
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_MAY_BE_BINARY: Final = (
    "; if it is Avro or Protobuf, REVIEWS_INCOMING__SCHEMA_FILE names its schema"
)
# So many letters for each broken character: a text that was cut, not one of another encoding.
_LETTERS_A_BREAK: Final = 10


def json_in(value: bytes) -> object:
    """Return what JSON says.

    Raises:
        NotJson: it is none, or of another encoding than JSON's.
    """
    text = _decoded(value)
    try:
        return json.loads(text)
    except ValueError as error:
        raise NotJson(f"the value is not JSON{_why(text, error)}") from None


def _why(text: str, error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):  # what Python advises is for programs
        return " that can be read: a number in it has more than 4,300 digits"
    if not (begins := text.strip()):
        return ": it is empty"
    if error.pos == text.index(begins[0]):
        binary = _MAY_BE_BINARY if any(c < " " for c in begins) else ""
        return f" at all: a review is an object of JSON, with a text in it{binary}"
    return f": {error}"


def _decoded(value: bytes) -> str:
    """Return a text of JSON: UTF-8, with a byte order mark or without, UTF-16 and UTF-32.

    Raises:
        NotJson: it is of another encoding.
    """
    encoding = json.detect_encoding(value)
    if not encoding.startswith("utf-8"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError as cause:
            raise NotJson(f"the value is not {encoding}: {cause.reason}") from None
    try:
        return value.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        whole = _mended_utf8(value)
        if whole is None:
            raise NotJson(f"the value is not UTF-8: {cause.reason} at byte {cause.start}") from None
        return whole


def _mended_utf8(value: bytes) -> str | None:
    """Return a text of which single characters were cut or written in halves; None: it is not UTF-8."""
    try:  # CESU-8: both halves of a character as if they were characters
        halves = value.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
        return halves.decode("utf-16", "replace").removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    text = value.decode("utf-8-sig", "replace")
    letters = sum(map(str.isalpha, text))
    return text if text.count(REPLACEMENT) * _LETTERS_A_BREAK <= letters else None


def mended(text: str) -> str:
    """Return a text that can be encoded: halves of characters are replaced."""
    if not text.isascii():
        try:  # much faster than to look for halves
            text.encode()
        except UnicodeEncodeError:
            return _HALF_CHARACTER.sub(REPLACEMENT, text)
    return text
