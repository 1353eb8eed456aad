"""`reviews label validate`: a person checks a random sample at the terminal."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from schemas import CATEGORIES, CATEGORY_INFO, Category
from stream.cli.console import err, note, one_line

if TYPE_CHECKING:
    from training.labelling.files import Suggestion

_SKIP: Final = "s"
_QUIT: Final = "q"
# What terminals send for Ctrl-C and Ctrl-D in raw mode, and what a pipe's end is.
_ENDS: Final = frozenset({_QUIT, "\x03", "\x04", ""})


def validate(
    file: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Output of `reviews label`, or raw reviews.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="CSV that answers are appended to.")
    ] = Path("checked.csv"),
    count: Annotated[int, typer.Option(min=1, help="Reviews in the sample.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed draws another sample.")] = 0,
    labeller: Annotated[
        str | None, typer.Option(help="Your name in the file; else that of your account.")
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Show no suggestion: it may sway who reads it.")
    ] = False,
) -> None:
    """Label a random sample by hand: 1-9 gives a category, Enter accepts the suggestion.

    s skips, q ends. Run the same command again to go on: what has an answer is not shown again.
    """
    from training.labelling.files import read_suggestions
    from training.labelling.sample import CheckedFile, draw_sample

    sample = draw_sample(read_suggestions(file), count, seed)
    checked = CheckedFile(output)
    left = [row for row in sample if row.item.id not in checked.done]
    who = labeller or getpass.getuser()
    read_key = terminal_key if sys.stdin.isatty() else piped_key
    _legend(blind=blind)
    for place, row in enumerate(left, start=len(sample) - len(left) + 1):
        _show(row, place, len(sample), blind=blind)
        key, category = ask(None if blind else row.guess, read_key)
        if key in _ENDS:
            break
        if category is not None:
            checked.add(row.item, category, who)
            note(f"[green]{category.value}[/green]")
    answered = sum(row.item.id in checked.done for row in sample)
    err.print(f"{answered} of {len(sample)} answered, in {output}", markup=False)
    note("next: `reviews label INPUT --validated FILE` calibrates on them")


def ask(guess: Category | None, read_key: Callable[[], str]) -> tuple[str, Category | None]:
    """Read keys until one means something; return it, and the category that it gives, if any."""
    while True:
        key = read_key()
        if key in _ENDS or key == _SKIP:
            return key, None
        if key in {"\r", "\n"} and guess is not None:
            return key, guess
        if len(key) == 1 and key in "123456789":
            return key, CATEGORIES[int(key) - 1]
        note(f"[yellow]1-9, {'Enter, ' if guess is not None else ''}s or q[/yellow]")


def terminal_key() -> str:
    """Read one key without waiting for Enter."""
    try:
        return typer.getchar()
    except (KeyboardInterrupt, EOFError):
        return _QUIT


def piped_key() -> str:
    """Read a line that holds one key; an empty line is Enter, the end of input is empty."""
    line = sys.stdin.readline()
    return line.strip() or line


def _legend(*, blind: bool) -> None:
    for number, info in enumerate(CATEGORY_INFO, start=1):
        err.print(f"{number} {info.english} ({info.russian})", markup=False)
    note("s: skip   q: end" if blind else "Enter: as suggested   s: skip   q: end")


def _show(row: Suggestion, place: int, total: int, *, blind: bool) -> None:
    err.print(f"\n[{place}/{total}]", style="dim", markup=False)
    err.print(one_line(row.item.text), style="bold", markup=False)
    if blind or row.guess is None:
        return
    number = row.guess.id + 1
    by = f" by {one_line(row.decided_by)}" if row.decided_by else ""
    err.print(f"suggested: {number} {row.guess.info.english}{by}", markup=False)
    for name, reason in row.reasons.items():
        err.print(f"  {one_line(name)}: {one_line(reason, 160)}", style="dim", markup=False)
