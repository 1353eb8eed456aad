"""`reviews label augment`: generated reviews for categories that hardly occur."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.markup import escape
from rich.table import Table

from schemas import Category
from stream.categories import category_named
from stream.cli import INTERRUPTED
from stream.cli.console import err, note, out
from stream.cli.options import settings_from
from stream.cli.reading import reads_files
from training.cli.labels_by import unstated_of
from training.cli.progress import bars

if TYPE_CHECKING:
    from stream.files import Options
    from stream.settings import Settings
    from training.data.files import LabelledItem
    from training.labelling.augment.quality_filter import QualityFilter
    from training.labelling.augment.run import CandidateTally
    from training.labelling.augment.sources import CandidateSource
    from training.labelling.votes import Labeller


@reads_files
def augment(
    labelled: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[LABELLED]...",
            help="Reviews that there are: text and category. They tell which categories are thin.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSON lines; what is there is added to.")
    ] = Path("augmented.jsonl"),
    per_category: Annotated[
        int, typer.Option(min=1, help="Reviews that each category should have.")
    ] = 100,
    category: Annotated[
        list[Category] | None,
        typer.Option(parser=category_named, metavar="SLUG", help="Only this one; may be repeated."),
    ] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labelled file that models are measured on: nothing near its texts is kept. "
            "The bundled held-out and demo reviews are always minded.",
            show_default=False,
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            help="Folder with products.toml and templates.toml; else the bundled ones.",
            show_default=False,
        ),
    ] = None,
    llm: Annotated[
        bool, typer.Option("--llm", help="Ask the LLM of REVIEWS_LABEL__LLM_URL instead.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Another seed composes other sentences.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is lacking and what the LLM would be told.")
    ] = False,
    *,
    reading_as: Options,
) -> None:
    """Write reviews for thin categories, for training only: nothing is ever measured on them.

    Templates or the LLM write; rules, dictionary and classifier check; what is near an evaluation
    set or said already is dropped. Ctrl-C keeps what is done, and the same command goes on there.
    """
    from training.data.files import read_labelled
    from training.labelling.augment.run import CandidateTally, lacking
    from training.labelling.augment.sources import LlmSource, TemplateSource

    settings = settings_from(None, None)
    there = [
        row
        for path in labelled or ()
        for row in read_labelled(path, unstated_of(reading_as=reading_as))
    ]
    there += _written(output)
    wanted = lacking(there, per_category, category or ())
    source: CandidateSource = LlmSource(settings.label) if llm else TemplateSource(templates, seed)
    if dry_run:
        _show_plan(wanted, source)
        return
    tally = CandidateTally()
    stopped = False
    if wanted:
        quality_filter = _quality_filter(settings, there, evaluation or [])
        stopped = _write(wanted, source, quality_filter, tally, output)
    _close(wanted, tally, output)
    if stopped:
        note("[yellow]stopped: run the same command again to go on[/yellow]")
        raise typer.Exit(INTERRUPTED)


def _written(output: Path) -> list[LabelledItem]:
    """Read what an earlier run wrote.

    Raises:
        DataError: the file holds reviews that somebody wrote: they would be mixed up.
    """
    from training.data.files import read_labelled
    from training.errors import DataError

    if not output.exists():
        return []
    rows = read_labelled(output)
    if not all(row.synthetic for row in rows):
        raise DataError(
            f"{output} holds reviews that were not generated", "name another file with --output"
        )
    return rows


def _quality_filter(
    settings: Settings, there: list[LabelledItem], evaluation: list[Path]
) -> QualityFilter:
    from training.data.files import read_labelled
    from training.data.parts import held_out_files
    from training.labelling.augment.quality_filter import QualityFilter

    files = [*held_out_files(), *evaluation]
    measured = [row.item.text for path in files for row in read_labelled(path)]
    with err.status("loading the checks"):
        return QualityFilter(_checks(settings), measured, [row.item.text for row in there])


def _checks(settings: Settings) -> list[Labeller]:
    from stream.errors import ModelError
    from training.errors import LabellerUnavailable
    from training.labelling.classifier_voter import ClassifierLabeller
    from training.labelling.dictionary import DictionaryLabeller
    from training.labelling.heuristic import HeuristicLabeller

    checks: list[Labeller] = [HeuristicLabeller.load()]
    folder = settings.model.folder
    for make in (DictionaryLabeller.load, lambda: ClassifierLabeller.load(folder)):
        try:
            checks.append(make())
        except (LabellerUnavailable, ModelError) as error:
            note(f"[yellow]a check less: {escape(error.message)}[/yellow]")
    return checks


def _write(
    wanted: dict[Category, int],
    source: CandidateSource,
    quality_filter: QualityFilter,
    tally: CandidateTally,
    output: Path,
) -> bool:
    """Append what is kept, line by line; return whether something stopped it."""
    from training.errors import BudgetSpent
    from training.labelling.augment.run import augment as generate

    with bars() as progress, progress("generating", sum(wanted.values())) as advance:
        try:
            with _appending(output) as file:
                for example in generate(wanted, source, quality_filter, tally):
                    file.write(json.dumps(example.row(), ensure_ascii=False) + "\n")
                    file.flush()
                    advance(1)
        except KeyboardInterrupt:
            return True
        except BudgetSpent as error:
            note(f"[yellow]{escape(error.message)}: {escape(error.remedy)}[/yellow]")
            return True
    return False


@contextmanager
def _appending(path: Path) -> Iterator[TextIO]:
    from stream.errors import not_written
    from training.errors import DataError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise not_written(path, error, "name a file in a folder of yours", DataError) from None


def _show_plan(wanted: dict[Category, int], source: CandidateSource) -> None:
    from training.labelling.augment.sources import LlmSource

    table = Table(title=f"To be written by {source.name}; nothing was asked")
    table.add_column("category")
    table.add_column("reviews", justify="right")
    table.add_column("requests, at least", justify="right")
    for category, count in wanted.items():
        table.add_row(category.slug, f"{count:,}", f"{-(-count // source.batch):,}")
    out.print(table)
    if wanted and isinstance(source, LlmSource):
        requests = sum(-(-count // source.batch) for count in wanted.values())
        prompt, answer, money = source.cost(requests)
        out.print(f"about {prompt:,} prompt and at most {answer:,} answer tokens: {money:,.2f}")
        for message in source.request(next(iter(wanted)), source.batch, 0)["messages"]:
            out.print(f"\n[{message['role']}]", markup=False, style="bold")
            out.print(message["content"], markup=False)


def _close(wanted: dict[Category, int], tally: CandidateTally, output: Path) -> None:
    written = sum(tally.kept.values())
    note(f"{written:,} synthetic reviews written to {escape(str(output))}")
    for reason, count in tally.dropped.most_common():
        note(f"[dim]{count:,} dropped: {escape(reason)}[/dim]")
    short = {c.slug: n - tally.kept[c] for c, n in wanted.items() if tally.kept[c] < n}
    if short:
        note("still lacking: " + ", ".join(f"{name} {count:,}" for name, count in short.items()))
    note(
        "next: `reviews train FAMILY LABELLED AUGMENTED`; nothing is measured on synthetic reviews"
    )
