"""The live table of the demo: redrawn on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Literal, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas import category_infos
from stream.demo.outcomes import OutcomeTally
from stream.web.languages import page_language

# Often enough to look alive, seldom enough to cost nothing beside the model.
_REDRAWS_PER_SECOND: Final = 8
_PLAIN_EVERY_SECONDS: Final = 2.0
_BAR_WIDTH: Final = 24


class Screen:
    """Shows a tally as it grows. Use as ``with``.

    Args:
        console: where to draw; a terminal gets the live table.
        tally: what is shown; the caller adds to it.
        expected: reviews that will come, once that is known.
    """

    def __init__(self, console: Console, tally: OutcomeTally, expected: int | None = None) -> None:
        self._console = console
        self._tally = tally
        self.expected = expected
        self._started = time.monotonic()
        self._drawn = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(
                self.render(),
                console=self._console,
                refresh_per_second=_REDRAWS_PER_SECOND,
                transient=True,
            )
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(self.render())
            self._live.__exit__(kind, error, trace)
        else:
            self._console.print(self._progress_line())

    @property
    def seconds(self) -> float:
        """Time since the first review was published."""
        return time.monotonic() - self._started

    def update(self) -> None:
        """Draw, if it is time to."""
        now = time.monotonic()
        every = 1 / _REDRAWS_PER_SECOND if self._live else _PLAIN_EVERY_SECONDS
        if now - self._drawn < every:
            return
        self._drawn = now
        if self._live is not None:
            self._live.update(self.render())
        else:
            self._console.print(self._progress_line())

    def render(self) -> RenderableType:
        """Return the table with a progress line under it."""
        return Group(category_table(self._tally), self._progress_line())

    def _progress_line(self) -> Text:
        tally = self._tally
        of = f" of {self.expected:,}" if self.expected is not None else ""
        return Text(
            f"{tally.total:,}{of} decided, {tally.routes['relabel']:,} to relabel, "
            f"{tally.cache_hits:,} from the cache, {tally.total / max(self.seconds, 1e-3):,.0f}/s"
        )


def to_relabel(language: Literal["ru", "en"]) -> str:
    """Return how a column of names calls what is published under none."""
    return {"ru": "на разметку", "en": "to relabel"}[language]


def category_table(tally: OutcomeTally) -> Table:
    """Return one row a category: count, mean confidence, share of what was published."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category", min_width=20)
    language = page_language()
    table.add_column({"ru": "по-русски", "en": "name"}[language], min_width=23)
    table.add_column("reviews", justify="right")
    table.add_column("confidence", justify="right")
    table.add_column("share", min_width=_BAR_WIDTH)
    published = tally.published.total()
    for info in category_infos():
        count = tally.published[info.category]
        mean = tally.mean_confidence(info.category)
        table.add_row(
            info.category.slug,
            info.name(language),
            f"{count:,}",
            f"{mean:.3f}" if mean is not None else "",
            ProgressBar(
                total=max(published, 1), completed=count, width=_BAR_WIDTH, complete_style="cyan"
            ),
            style=None if count else "dim",
        )
    table.add_row(
        "(to relabel)", to_relabel(language), f"{tally.routes['relabel']:,}", "", style="yellow"
    )
    if dead := tally.routes["dead-letter"]:
        table.add_row("(dead letters)", "", f"{dead:,}", "", style="red")
    return table
