"""Text of strangers where people read it: no control character reaches a terminal or a log.

An escape sequence can clear a screen, rename a window, or write lines that nobody logged; marks of
direction reorder what is read ("Trojan Source", CVE-2021-42574). Everything that prints goes through
:func:`visible`.
"""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls (ECMA-48), Unicode's line separators and marks of direction, tag characters.
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    r"\U000e0000-\U000e007f\ud800-\udfff]"
)
_CONTROLS: Final = re.compile(rf"(?:{_CONTROL.pattern}|[\t\n])++")
_BREAK: Final = re.compile(r"[\t\n]")


def visible(text: str, *, one_line: bool = False) -> str:
    r"""Return the text with its control characters written out, as JSON writes them: ``\u001b``.

    Tabs and line feeds stay unless ``one_line``. A JSON document stays the same document.
    """
    shown = text if text.isprintable() else _CONTROL.sub(_written, text)
    return _BREAK.sub(_written, shown) if one_line else shown


def blanked(text: str) -> str:
    """Return the text on one line: a space stands for each run of control characters."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text).strip()


def one_line(text: str, limit: int = 0) -> str:
    """Return a stranger's text on one line, without control characters, cut to ``limit``."""
    line = blanked(text)
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _written(character: re.Match[str]) -> str:
    code = ord(character[0])
    if code > 0xFFFF:  # noqa: PLR2004 - beyond, JSON writes a surrogate pair
        high, low = divmod(code - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\u{code:04x}"
