"""`reviews label validate`: a person checks a random sample at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from schemas import Category, all_categories, category_count, category_infos
from stream.account import account_name
from stream.cli.console import err, note, out
from stream.cli.options import settings_from
from stream.cli.reading import reads_files
from stream.cli.signals import interruptible
from stream.errors import InputError
from stream.terminal import one_line
from training.cli.labels_by import unstated_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stream.files import Options
    from stream.settings import Settings
    from training.data.files import Suggestion

_SKIP: Final = "s"
_QUIT: Final = "q"
_UNDO: Final = "u"
_CANNOT_TELL: Final = "?"
_ONE_DIGIT: Final = 9
_ENTER: Final = frozenset({"\r", "\n"})
# What terminals send for Ctrl-C and Ctrl-D in raw mode, and what a pipe's end is.
_ENDS: Final = frozenset({_QUIT, "\x03", "\x04", ""})


@reads_files
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
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX",
            help="Let people decide the sample in the browser: send it to a queue of this prefix.",
            show_default=False,
        ),
    ] = None,
    *,
    reading_as: Options,
) -> None:
    """Label a random sample by hand: a number gives a category, Enter accepts the suggestion.

    u takes the last answer back, ? says that you cannot tell, s skips, q ends. Run the same command again to go on: what has an answer is not shown again.
    At the end it tells how right the run was on what has an answer.
    """
    from rich.markup import escape

    from training.data.files import read_suggestions
    from training.labelling.sample import CheckedFile, draw_sample

    settings = None if queue is None else _own_prefix(queue)
    sample = draw_sample(read_suggestions(file, unstated_of(reading_as=reading_as)), count, seed)
    if settings is not None:
        _send(settings, sample, file, blind=blind)
        return
    checked = CheckedFile(output)
    if checked.was_cut_off:
        note(
            f"[yellow]the last answer in {escape(str(output))} was half-written[/yellow]: asked again"
        )
    left = [row for row in sample if row.item.id not in checked.done]
    who = labeller or account_name()
    read_key = terminal_key if sys.stdin.isatty() else piped_key
    _legend(blind=blind)
    place, first = 0, len(sample) - len(left) + 1
    while place < len(left):
        row = left[place]
        _show(row, first + place, len(sample), blind=blind)
        key, category = ask(None if blind else row.guess, read_key)
        if key in _ENDS:
            break
        if key == _UNDO:
            if not place:
                note("[yellow]there is nothing to take back[/yellow]")
                continue
            place -= 1
            checked.take_back(left[place].item)
            continue
        if category is not None:
            checked.add(row.item, category, who)
            note(f"[green]{category.slug}[/green]")
        elif key == _CANNOT_TELL:
            note("cannot tell: it stays out of the file, and calibrates nothing")
        place += 1
    answered = sum(row.item.id in checked.done for row in sample)
    err.print(f"{answered} of {len(sample)} answered, in {output}", markup=False)
    _judge(sample, output)
    note("next: `reviews label INPUT --validated FILE` calibrates on them")


def _own_prefix(prefix: str) -> Settings:
    """Return settings of the sample's own queue.

    Raises:
        InputError: it is the stream's queue.
    """
    if prefix == settings_from(None, None).topics.prefix:
        raise InputError(
            f"{prefix} is the prefix of the stream, and what people decide in its queue goes out on its "
            "category topics",
            "give the sample a prefix of its own, as --queue check",
        )
    return settings_from(None, prefix)


def _send(settings: Settings, sample: Sequence[Suggestion], file: Path, *, blind: bool) -> None:
    from rich.markup import escape

    from training.labelling.queued import queue_sample

    with err.status("sending the sample"):
        queued = interruptible(queue_sample(settings, sample, file.name, blind=blind))
    prefix = settings.topics.prefix
    note(f"{queued.sent:,} reviews wait in the queue of the prefix {escape(prefix)}")
    for review_id in queued.left_out:
        note(
            f"[yellow]{escape(one_line(review_id, 60))}: its id or text is too long: left out[/yellow]"
        )
    note(
        f"next: `reviews queue --prefix {escape(prefix)} --port 8401` for the people; when all are decided, "
        f"`reviews queue export --prefix {escape(prefix)} --format csv > checked.csv`. What is decided first "
        "is no random part: a half-decided sample calibrates wrongly"
    )
    if queued.left_out:
        raise typer.Exit(1)


def ask(guess: Category | None, read_key: Callable[[], str]) -> tuple[str, Category | None]:
    """Read keys until one means something; return it, and the category that it gives, if any."""
    numbers = {str(category.id + 1): category.id for category in all_categories()}
    while True:
        key = read_key()
        if key in _ENDS or key in {_SKIP, _UNDO, _CANNOT_TELL}:
            return key, None
        if key in _ENTER and guess is not None:
            return key, guess
        if key in numbers:
            return key, all_categories()[numbers[key]]
        note(
            f"[yellow]1-{len(numbers)}, {'Enter, ' if guess is not None else ''}u, ?, s or q[/yellow]"
        )


def terminal_key() -> str:
    """Read one key without waiting for Enter, or a number: Enter ends one that could go on."""
    try:
        said = typer.getchar()
        while said.isdecimal() and 0 < int(said) * 10 <= category_count():
            more = typer.getchar()
            if more in _ENDS:
                return more
            if more in _ENTER:
                break
            said += more
    except (KeyboardInterrupt, EOFError):
        return _QUIT
    return said


def piped_key() -> str:
    """Read a line that holds one key or number; an empty line is Enter, the end of input is empty."""
    line = sys.stdin.readline()
    return line.strip() or line


def _legend(*, blind: bool) -> None:
    for number, info in enumerate(category_infos(), start=1):
        english, russian = info.name("en"), info.name("ru")
        also = f" ({russian})" if russian != english else ""
        err.print(f"{number} {english}{also}", markup=False)
    if category_count() > _ONE_DIGIT:
        note("Enter ends a number that could go on")
    others = "u: undo   ?: cannot tell   s: skip   q: end"
    note(others if blind else f"Enter: as suggested   {others}")


def _show(row: Suggestion, place: int, total: int, *, blind: bool) -> None:
    err.print(f"\n[{place}/{total}]", style="dim", markup=False)
    err.print(one_line(row.item.text), style="bold", markup=False)
    if blind or row.guess is None:
        return
    from training.labelling.cascade import PEOPLE

    number = row.guess.id + 1
    by = ""
    if row.decided_by == PEOPLE:
        by = ", a guess: nobody was sure enough"
    elif row.decided_by:
        by = f" by {one_line(row.decided_by)}"
    err.print(f"suggested: {number} {row.guess.info.name('en')}{by}", markup=False)
    for name, reason in row.reasons.items():
        err.print(f"  {one_line(name)}: {one_line(reason, 160)}", style="dim", markup=False)


def _judge(sample: Sequence[Suggestion], checked: Path) -> None:
    """Print what the answers say of the run: per category, with intervals, and who was taken for whom."""
    import numpy as np

    from training.data.files import read_labelled
    from training.measures.metrics import category_scores

    answers = {row.item.id: row.category for row in read_labelled(checked)}
    pairs = [
        (answers[row.item.id].id, row.guess.id)
        for row in sample
        if row.guess is not None and row.item.id in answers
    ]
    if not pairs:
        return
    truth, guess = np.array(pairs, dtype=np.int64).T
    out.print(_summary(truth, guess), markup=False)
    scores = [score for score in category_scores(truth, guess) if score.support or score.given]
    columns = (
        "is",
        "reviews",
        "precision",
        "recall",
        "F1",
        *(f"as {s.category.id + 1}" for s in scores),
    )
    table = Table(title="Rows: what a person says. Columns: what the run said, by number")
    for column in columns:
        table.add_column(column, justify="left" if column == "is" else "right")
    for score in scores:
        taken = [int((guess[truth == score.category.id] == s.category.id).sum()) for s in scores]
        table.add_row(
            f"{score.category.id + 1} {score.category.info.name('en')}",
            str(score.support),
            _between(score.precision, score.precision_interval) if score.given else "–",
            _between(score.recall, score.recall_interval) if score.support else "–",
            f"{score.f1:.2f}",
            *(str(count or "") for count in taken),
        )
    out.print(table)


def _summary(truth: NDArray[np.int64], guess: NDArray[np.int64]) -> str:
    from stream.intervals import wilson
    from training.measures.metrics import bootstrap, cohen_kappa, weighted_f1

    right, of = int((truth == guess).sum()), len(truth)
    f1 = bootstrap(weighted_f1, truth, guess, resamples=1000)
    return (
        f"{of} guesses checked: {_between(right / of, wilson(right, of))} right, "
        f"weighted F1 {_between(f1.value, (f1.low, f1.high))}, "
        f"Cohen's kappa {cohen_kappa(truth, guess):.2f} (95% intervals)"
    )


def _between(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.2f} ({interval[0]:.2f}-{interval[1]:.2f})"
