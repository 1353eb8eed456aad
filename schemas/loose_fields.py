"""Fields of an object that anybody may have shaped: found under any spelling of their names, read as texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from schemas.encodings import REPLACEMENT, mended
from schemas.envelopes import UNAVAILABLE, Fields
from schemas.formats import registry_head

LONG_KEY_BYTES: Final = 8
"""Bytes of a key that is a number, as Kafka's LongSerializer writes it."""
_INTEGER_KEY_BYTES: Final = 4  # IntegerSerializer's
LONGEST_NAME: Final = 40
"""Characters of a field's name that is remembered, or shown whole."""
IDS: Final = ("reviewid", "id")
"""Plain names of the field that names a review."""
NO_NAMES: Final = frozenset({"null", "NULL", "None", "none", "NaN", "nan", "undefined"})
"""What programs write for an id that they do not have: under it all reviews would be versions of one."""
# From here on several ids of a float are the same number: it may be one that was rounded.
_FLOAT_IS_EXACT_BELOW: Final = 2**53
_WORD: Final = re.compile(rf"[^\s{REPLACEMENT}]")


def plain_name(name: str) -> str:
    """Return a field's name as all ways to write it have it: ``reviewId`` is ``REVIEW_ID``."""
    return _plain_short_name(name) if len(name) <= LONGEST_NAME else _plainly(name)


def _plainly(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


# The messages of a topic have the same fields again and again. Long names could fill the memory.
_plain_short_name: Final = lru_cache(maxsize=1024)(_plainly)


def by_plain_name(fields: Fields) -> dict[str, Any]:
    """Return what is there under each plain name; of several that are one name the first."""
    plain: dict[str, Any] = {}
    for name, value in fields.items():
        if value is not None and value != "":
            plain.setdefault(plain_name(name), value)
    return plain


def first_of(plain: Fields, names: Sequence[str]) -> Any:
    """Return what is there under the first of some plain names; None: under none of them."""
    return next((plain[name] for name in names if name in plain), None)


def value_at(fields: Fields, path: str) -> Any:
    """Return what stands at a path with dots; a name with a dot in it is a path, too."""
    if path in fields:
        return fields[path]
    found: Any = fields
    for name in path.split("."):
        if isinstance(found, list):  # of each object in a list
            found = [item.get(name) for item in found if isinstance(item, dict)]
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def paths_in(fields: Fields, above: str = "") -> Iterator[str]:
    """Yield where values stand, with dots into objects; not below an object in an object."""
    for name, value in fields.items():
        if isinstance(value, dict) and value and not above:
            yield from paths_in(value, f"{name}.")
        else:
            yield f"{above}{name}"


def scalar_text(value: object) -> str | None:
    """Return a value as text; None: it is absent, or no single value."""
    if isinstance(value, dict) and len(value) == 1:  # MongoDB's {"$oid": ...}, {"$numberLong": ...}
        ((name, inner),) = value.items()
        return scalar_text(inner) if name.startswith("$") else None
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, int):
        return str(value).lower()  # true and false, as JSON has them
    if isinstance(value, float) and math.isfinite(value):
        is_whole = value.is_integer() and abs(value) < _FLOAT_IS_EXACT_BELOW
        return str(int(value)) if is_whole else repr(value)
    return None


def named_by(value: object) -> str | None:
    """Return the name that a value is; None: it names nothing, or more than one review.

    >>> named_by(42.0), named_by("None"), named_by(1.2345678901234567e18)
    ('42', None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and abs(value) >= _FLOAT_IS_EXACT_BELOW:
        return None
    text = scalar_text(value)
    return text if text and not text.isspace() and text not in NO_NAMES else None


def words_in(value: object) -> str | None:
    """Return a text with words in it; of a list all of its texts, a line each.

    Pieces with marks (bold, a link), as Telegram writes them, are one text.

    >>> words_in(["Утюг ", {"type": "bold", "text": "супер"}])
    'Утюг супер'
    """
    if isinstance(value, list) and (marked := joined_pieces(value)) is not None:
        return words_in(marked)
    if isinstance(value, list):
        lines = [line for item in value if (line := words_in(item)) is not None]
        return "\n".join(lines) or None
    if isinstance(value, bool) or value == UNAVAILABLE:
        return None
    text = scalar_text(value)
    return text if text is not None and _WORD.search(text) else None


def joined_pieces(items: Sequence[object]) -> str | None:
    """Return the text that was parted where its marks begin and end; None: it is a list of others."""
    pieces = [item.get("text") if isinstance(item, dict) else item for item in items]
    is_marked = any(isinstance(item, dict) for item in items)
    if not is_marked or not all(isinstance(piece, str) for piece in pieces):
        return None
    return "".join(str(piece) for piece in pieces)


def any_text(value: object) -> str:
    """Return any value as text: one that is not single as JSON."""
    text = scalar_text(value)
    return text if text is not None else mended(json.dumps(value, ensure_ascii=False))


def name_in_key(key: bytes | None) -> str | None:
    """Return the name in a message's key: a text, a number of eight bytes, or JSON around either."""
    if not key:
        return None
    key = key[registry_head(key) :]
    if key[:1] in {b"{", b'"'}:
        try:
            return name_in_json(json.loads(key))
        except (ValueError, RecursionError):
            pass
    if len(key) in {LONG_KEY_BYTES, _INTEGER_KEY_BYTES} and key[:1] == b"\x00":
        return str(int.from_bytes(key, "big"))
    try:
        text = key.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return named_by(text) if text.isprintable() else None


def name_in_json(key: object) -> str | None:
    """Return the name in a key that is JSON: what is called an id, or the only value."""
    if isinstance(key, dict) and "payload" in key:
        key = key["payload"]
    if not isinstance(key, dict):
        return named_by(key)
    only = next(iter(key.values())) if len(key) == 1 else None
    return named_by(first_of(by_plain_name(key), IDS)) or named_by(only) or named_by(key)
