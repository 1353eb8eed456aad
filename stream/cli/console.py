"""Where words go: data to standard output, everything for people to standard error."""

from __future__ import annotations

import re
import sys
from typing import Final

from rich.console import Console
from rich.text import Text

from stream.errors import ReviewsError

# A file or a pipe has no width of its own: wide enough that no column of ours is cut.
_PLAIN_WIDTH: Final = 200

# Both follow NO_COLOR and lose their colours when not on a terminal.
out: Final = Console(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PLAIN_WIDTH
)
err: Final = Console(stderr=True, highlight=False)

# A review's text is a stranger's: it must not move the cursor or recolour the terminal.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def one_line(text: str, limit: int = 0) -> str:
    """Return a stranger's text on one line, without control characters, cut to ``limit``."""
    line = _CONTROL.sub(" ", text).strip()
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def print_error(error: ReviewsError) -> None:
    """Print one line that says what is wrong, and one that says what to do."""
    line = Text.assemble(("error: ", "bold red"), one_line(error.message))
    err.print(line, soft_wrap=True)
    if error.remedy:
        err.print(Text.assemble(("  try: ", "bold"), one_line(error.remedy)), soft_wrap=True)


def note(message: str) -> None:
    """Print a message for people. ``message`` may hold Rich markup: escape what is not ours."""
    err.print(message, soft_wrap=True)
