"""`reviews label INPUT`: labels for raw reviews, and how far they can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from schemas import Category
from stream.categories import category_named
from stream.cli import INTERRUPTED
from stream.cli.console import err, note, out
from stream.cli.options import settings_from
from stream.cli.outputs import Force, require_new_file, require_own_folder
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.augment import augment
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.nli import nli
from training.cli.progress import bars
from training.cli.validate import validate
from training.errors import DataError

if TYPE_CHECKING:
    from stream.files import Options
    from stream.settings import Settings
    from training.data.files import UnlabelledReview
    from training.labelling.recorded import RecordedLabeller
    from training.labelling.run import LabellingRun, Llm, Panel

_DEFAULT: Final = "run"
_HELP: Final = frozenset({"--help", "-h"})

Validated = Annotated[
    Path | None,
    typer.Option(
        help="Random reviews labelled by hand: text and category. Calibrates and measures.",
        show_default=False,
    ),
]
Sold = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column with what was sold, a product's or a category's name: evidence, unless a text shows "
        "nothing of it.",
        show_default=False,
    ),
]
Recorded = Annotated[
    str | None,
    typer.Option(
        metavar="FILE:MODEL",
        help="Answers of an LLM recorded in a file, instead of asking one.",
        show_default=False,
    ),
]


class LabelGroup(TyperGroup):
    """`reviews label FILE` means `reviews label run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of what is none."""
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=LabelGroup,
    no_args_is_help=True,
    help="Label raw reviews: cheap labellers first, the LLM where they are unsure, then people. "
    "`reviews label FILE` is short for `reviews label run FILE`.",
)


@app.command(_DEFAULT)
@reads_files
def run(
    file: Annotated[Path, typer.Argument(metavar="INPUT", help="CSV or JSON lines with text.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Labels, JSON lines.")] = Path(
        "labelled.jsonl"
    ),
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for the report (it holds review texts).", show_default=False),
    ] = None,
    validated: Validated = None,
    labels_by: LabelsBy = None,
    recorded: Recorded = None,
    sold: Sold = None,
    precision: Annotated[
        float | None,
        typer.Option(help="Wanted of what is decided; else 0.95.", min=0.5, max=0.999),
    ] = None,
    keep: Annotated[
        list[Category] | None,
        typer.Option(parser=category_named, metavar="SLUG", help="Category that occurs."),
    ] = None,
    drop: Annotated[
        list[Category] | None,
        typer.Option(parser=category_named, metavar="SLUG", help="Category that does not."),
    ] = None,
    people: Annotated[
        list[Category] | None,
        typer.Option(parser=category_named, metavar="SLUG", help="Only people may give it."),
    ] = None,
    noise: Annotated[bool, typer.Option(help="Look for suspicious labels.")] = True,
    processes: Annotated[int, typer.Option(min=0, help="0: one a core.")] = 0,
    save_ensemble: Annotated[
        bool,
        typer.Option(
            "--save-ensemble",
            help="Let `reviews relabel-auto` decide by what is fitted here; needs --validated.",
        ),
    ] = False,
    force: Force = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the LLM would cost, and ask nothing.")
    ] = False,
    *,
    reading_as: Options,
) -> None:
    """Label reviews. Ctrl-C keeps what is done; run again with --force to go on where it stopped.

    Without --validated nothing is calibrated: only what the labellers are very sure of is decided.
    """
    label: dict[str, object] = {} if precision is None else {"precision": precision}
    settings = settings_from(None, None, label=label)
    from training.data.files import read_items, read_validated
    from training.writable import check_writable

    if not dry_run:
        require_new_file(output, force=force)
        check_writable(output.parent)
        if report is not None:
            require_own_folder(report, "summary.md", "# Labelling summary", force=force)
    if sold is not None and save_ensemble:
        raise InputError(
            "the stream does not say what was sold: an ensemble that leans on it cannot decide there",
            "leave out --sold or --save-ensemble",
        )
    items = read_items(file, unstated_of(None, reading_as, sold))
    if sold is not None and not any(item.sold for item in items):
        raise InputError(
            f"{file}: no review has a column {sold!r} that says what was sold",
            "name the column as the file does",
        )
    known = (
        []
        if validated is None
        else read_validated(validated, unstated_of(labels_by, reading_as, sold))
    )
    if save_ensemble:
        distinct = {row.item.normalized for row in known}
        _check_saving(settings, len(distinct), force=force)
    fates = _fates(keep, drop, people)
    everyone = [*items, *(row.item for row in known)]
    repeated = _recorded(recorded, everyone)
    panel = load_panel(settings)
    from training.labelling.panel import open_llm, with_sold

    if sold is not None:
        panel = with_sold(panel, everyone)
    with open_llm(settings.label, repeated) as llm:
        if dry_run:
            _show_plan(settings, items, known, panel, fates)
            return
        result = _run(settings, items, known, panel, llm, fates, processes)
        _write(result, output)
        # Fitted on a part that nobody chose, it would decide in the stream.
        save_ensemble = save_ensemble and not result.interrupted
        if save_ensemble:
            _save(result, settings, validated)
        if report is not None:
            _report(result, settings, llm, report, noise=noise)
    _close(result, output, report, saved=save_ensemble)


app.command("validate")(validate)
app.command("augment")(augment)
app.command("nli")(nli)


def _run(
    settings: Settings,
    items: Any,
    known: Any,
    panel: Panel,
    llm: Llm | None,
    fates: Any,
    processes: int,
) -> LabellingRun:
    from dataclasses import replace

    from training.labelling.run import run_labelling

    with bars() as progress:
        return run_labelling(
            items,
            known,
            replace(panel, llm=llm),
            settings.label.precision,
            fates,
            progress,
            processes,
        )


def load_panel(settings: Settings) -> Panel:
    """Load the cheap labellers and say which are not installed."""
    from training.labelling.panel import cheap_panel

    with err.status("loading the labellers"):
        panel = cheap_panel(settings.label, settings.model.folder)
    for line in panel.notes:
        err.print(line, style="yellow", markup=False, soft_wrap=True)
    return panel


def _recorded(value: str | None, items: Sequence[UnlabelledReview]) -> RecordedLabeller | None:
    """Read a recording, before labellers are loaded: what is wrong with it is said early."""
    from training.labelling.recorded import RecordedLabeller, Recording

    if value is None:
        return None
    recording = Recording.parse(value)
    return RecordedLabeller.load(recording.votes, recording.model, items)


def _fates(
    keep: list[Category] | None, drop: list[Category] | None, people: list[Category] | None
) -> dict[Category, Any]:
    from training.labelling.prior import Fate

    named = ((keep, Fate.KEPT), (drop, Fate.DROPPED), (people, Fate.PEOPLE))
    return {category: fate for categories, fate in named for category in categories or ()}


def _show_plan(settings: Settings, items: Any, known: Any, panel: Panel, fates: Any) -> None:
    """Print what asking would cost at most: about all reviews, and about what the cascade asks."""
    from rich.table import Table

    from training.labelling.label_model import UNKNOWN
    from training.labelling.llm.plan import plan_cost
    from training.labelling.llm.prompt import messages

    result = _run(settings, items, known, panel, None, fates, 0)
    open_ones = result.decisions.open | (result.known != UNKNOWN)
    texts = [item.normalized for item in result.items]
    asked = [text for text, wanted in zip(texts, open_ones, strict=True) if wanted]
    table = Table(title=f"Upper estimate for {settings.label.llm_model}; nothing was asked")
    for column in ("", "reviews", "calls", "prompt tokens", "answer tokens", "cost", "time"):
        table.add_column(column, justify="left" if not column else "right")
    for name, part in (("the cascade", asked), ("every review", texts)):
        plan = plan_cost(part, settings.label)
        row = (plan.reviews, plan.calls, plan.prompt_tokens, plan.answer_tokens)
        minutes = f"{plan.seconds / 60:,.1f} min"
        table.add_row(name, *(f"{n:,}" for n in row), f"{plan.money:,.2f}", minutes)
        if not plan.within_budget:
            note(f"[yellow]{name}: beyond REVIEWS_LABEL__LLM_MAX_TOKENS[/yellow]")
    out.print(table)
    example = (asked or texts)[:1]
    for message in messages(example[0]) if example else ():
        out.print(f"\n[{message['role']}]", markup=False, style="bold")
        out.print(message["content"], markup=False)


def _check_saving(settings: Settings, labels: int, *, force: bool) -> None:
    """Refuse to let an ensemble decide in the stream that too few people's labels speak for.

    Raises:
        InputError: there are too few, or there is an ensemble already.
    """
    from training.labelling.saved import LEAST_LABELS, load_ensemble

    if labels < LEAST_LABELS:
        raise InputError(
            f"an ensemble that decides in the stream is calibrated on {LEAST_LABELS} labels of people "
            f"at least, and --validated has {labels}",
            "check a sample with `reviews label validate`, and name its file with --validated",
        )
    path = settings.label.ensemble
    if not force and path.exists():
        try:
            what = str(load_ensemble(path).fitted)
        except DataError:
            what = "of another version"
        raise InputError(
            f"{path} holds an ensemble {what}, and is not written over",
            "set REVIEWS_LABEL__ENSEMBLE, or add --force to replace it",
        )


def _write(result: LabellingRun, output: Path) -> None:
    from training.labelling.output import label_rows, write_rows

    write_rows(output, label_rows(result))


def _save(result: LabellingRun, settings: Settings, validated: Path | None) -> None:
    from datetime import UTC, datetime

    from rich.markup import escape

    from training.labelling.label_model import UNKNOWN
    from training.labelling.saved import Fitted, save_ensemble

    fitted = Fitted(
        at=datetime.now(UTC),
        sample=validated.name if validated else "",
        labels=int((result.known != UNKNOWN).sum()),
        reviews=result.labelled,
        precision=settings.label.precision,
    )
    path = settings.label.ensemble
    saved = save_ensemble(result.cascade, path, fitted)
    note(f"ensemble {saved.version} is in {escape(str(path))}: {escape(str(fitted))}")


def _report(
    result: LabellingRun, settings: Settings, llm: Llm | None, folder: Path, *, noise: bool
) -> None:
    from training.labelling.report.build import write_report
    from training.labelling.report.figures import gather_figures, llm_figures

    started = time.perf_counter()
    spent = None
    if llm is not None:
        usage = getattr(llm, "usage", None)
        spent = llm_figures(result, usage, usage.money(settings.label) if usage else None)
    with err.status("cross-validating"):
        figures = gather_figures(result, settings.label.precision, spent)
    suspects = None
    if noise:
        with err.status("looking for suspicious labels"):
            suspects = _suspects(result)
    write_report(folder, figures, suspects)
    note(f"[dim]report made in {time.perf_counter() - started:.0f} s[/dim]")


def _suspects(result: LabellingRun) -> Any:
    from dataclasses import replace

    import numpy as np

    from training.labelling.noise import suspicious_labels

    rows = np.flatnonzero(~result.decisions.open[: result.labelled])
    texts = [result.items[int(row)].normalized for row in rows]
    found = suspicious_labels(texts, result.decisions.category[rows])
    return [replace(suspect, row=int(rows[suspect.row])) for suspect in found]


def _close(result: LabellingRun, output: Path, report: Path | None, *, saved: bool) -> None:
    from rich.markup import escape

    from training.labelling.label_model import UNKNOWN
    from training.labelling.output import left_to_people
    from training.labelling.prior import Fate

    left = left_to_people(result)
    total = result.labelled
    fates = result.cascade.prior.fates
    dropped = [f"{f.category.slug} {f.why}" for f in fates if f.fate is Fate.DROPPED]
    note(
        f"{total - left:,} of {total:,} reviews labelled, {left:,} left to people "
        f"(category null in {escape(str(output))})"
    )
    note(f"categories: {', '.join(dropped) or 'none dropped'}")
    if report is not None:
        note(f"report: {escape(str(report / 'index.html'))}")
    if saved:
        note("next: `reviews relabel-auto` decides unsure reviews of the stream by this ensemble")
    elif not (result.known != UNKNOWN).any():
        note(
            "next: `reviews label validate` lets you check a sample, which calibrates the next run"
        )
    else:
        note(
            "next: with --save-ensemble, `reviews relabel-auto` decides in the stream by this ensemble"
        )
    if result.interrupted:
        note(
            f"[yellow]interrupted: of {total:,} reviews {result.asked_of_all:,} were asked of every "
            "labeller, the others are left to people, and no ensemble is saved. The same command with "
            "--force goes on: rules and dictionary are asked again, which costs seconds; what an LLM "
            "has answered is kept and paid for once[/yellow]"
        )
        raise typer.Exit(INTERRUPTED)
