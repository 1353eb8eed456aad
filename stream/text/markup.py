"""HTML and escapes in a text that should have been plain."""

from __future__ import annotations

import html
import re
from typing import Final

# Only what ends with a semicolon: `H&M` and `C&A` are shops.
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
# A tag begins with a Latin letter: `<3` is a heart, `< 5` a comparison.
_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
# What stands in it is text, also where nothing closes it.
_CDATA: Final = re.compile(r"<!\[CDATA\[|\]\]>", re.IGNORECASE)
_UNSEEN: Final = ("script", "style")
_BACKSLASHED: Final = re.compile(r"(?:\\[uU][0-9a-fA-F]{4})+")
_BACKSLASHED_SPACE: Final = re.compile(r"(?<!\\)\\++[nrtNRT](?![a-zA-Z])")
# Shops escape what was escaped before. More than this is no accident, and then nothing is resolved.
_LAYERS: Final = 4


def without_markup(text: str) -> str:
    r"""Return a text with entities and ``\u`` escapes resolved and tags replaced by a space.

    What stands between the tags of a script or a style is dropped with them.
    """
    if "\\" in text:
        text = _BACKSLASHED_SPACE.sub(" ", _BACKSLASHED.sub(_escaped, text))
    for _ in range(_LAYERS):
        before = text
        if "&" in text:
            text = _ENTITY.sub(_resolved, text)
        if "<" in text:
            text = _TAG.sub(" ", _CDATA.sub(" ", _without_unseen(text)))
        if text == before:
            return text
    return text.replace("&", " ").replace("<", " ")


def _resolved(entity: re.Match[str]) -> str:
    # Names of entities are known in lower case to people; a text may come in capitals.
    name = entity.group()
    found = html.unescape(name)
    return found if found != name else html.unescape(name.lower())


def _escaped(run: re.Match[str]) -> str:
    # Pictures are written as two such escapes, in UTF-16.
    return bytes.fromhex(run.group().lower().replace("\\u", "")).decode("utf-16-be", "replace")


def _without_unseen(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != len(text):  # a capital that has two small letters: positions would not agree
        text = lowered
    for tag in _UNSEEN:
        opening, closing = f"<{tag}", f"</{tag}"
        start, kept, at = lowered.find(opening), [], 0
        while start >= 0:
            end = lowered.find(closing, start)
            if end < 0:
                break
            kept.append(text[at:start])
            at = end
            start = lowered.find(opening, end + len(closing))
        if kept:
            text = " ".join([*kept, text[at:]])
            lowered = text.lower()
    return text
