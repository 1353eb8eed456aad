"""Where words go: data to standard output, everything for people to standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from stream.credentials import hide_accounts
from stream.errors import ReviewsError
from stream.terminal import one_line, visible

# A file or a pipe has no width of its own: wide enough that no column of ours is cut.
_PLAIN_WIDTH: Final = 200


class SafeConsole(Console):
    """A console on which only Rich moves the cursor: what a text brings of its own is written out."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string, before its width is measured."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with every control character of the text itself made visible."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


# Both follow NO_COLOR and lose their colours when not on a terminal.
out: Final = SafeConsole(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PLAIN_WIDTH
)
err: Final = SafeConsole(stderr=True, highlight=False)


def print_line(line: str) -> None:
    """Print a line for a program, as it is but for control characters; JSON stays the same JSON."""
    sys.stdout.write(visible(line) + "\n")


def print_data(data: str) -> None:
    """Print a part of a file: byte for byte, unless a person looks at it on a terminal."""
    sys.stdout.write(visible(data) if sys.stdout.isatty() else data)


def print_traceback(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Print a failure that nobody foresaw; its message may be a stranger's."""
    said = "".join(traceback.format_exception(kind, error, where))
    sys.stderr.write(visible(hide_accounts(said)))


def print_error(error: ReviewsError) -> None:
    """Print one line that says what is wrong, and one that says what to do."""
    line = Text.assemble(("error: ", "bold red"), one_line(hide_accounts(error.message)))
    err.print(line, soft_wrap=True)
    if error.remedy:
        err.print(Text.assemble(("  try: ", "bold"), one_line(error.remedy)), soft_wrap=True)


def note(message: str) -> None:
    """Print a message for people. ``message`` may hold Rich markup: escape what is not ours."""
    err.print(message, soft_wrap=True)
