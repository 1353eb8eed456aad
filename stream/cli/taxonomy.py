"""`reviews taxonomy`: making, checking and comparing categories of one's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.console import err, note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json, settings_from
from stream.cli.reading import SheetName
from stream.cli.rows import LeftOutRows
from stream.listing import some

if TYPE_CHECKING:
    from schemas import Taxonomy
    from stream.taxonomies.diff import TaxonomyChange
    from stream.taxonomies.proposal import Proposal

app = typer.Typer(help="Categories of your own: a folder to edit.", no_args_is_help=True)

_COLOURS: Final = {"good": "green", "weak": "yellow", "wrong": "red", "absent": "dim"}
_FEW: Final = 30
_MOST_NAMED: Final = 8
Folder = Annotated[Path, typer.Argument(help="A taxonomy's folder, or its taxonomy.toml.")]


@app.command()
def init(
    labels: Annotated[Path, typer.Argument(help="Texts with labels: CSV, JSON lines, xlsx, ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new folder.")],
    name: Annotated[
        str | None, typer.Option(help="Of the taxonomy; else the folder's.", show_default=False)
    ] = None,
    none: Annotated[
        str | None,
        typer.Option(help="Label that means “none of these”.", metavar="LABEL", show_default=False),
    ] = None,
    text_column: Annotated[
        list[str] | None, typer.Option(help="Column of the text.", show_default=False)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of the label.", show_default=False)
    ] = None,
    sheet: SheetName = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Make a taxonomy from labelled texts: categories, telling words, what is mixed up."""
    from rich.markup import escape

    from stream.taxonomies.labels import read_labelled_texts
    from stream.taxonomies.proposal import propose
    from stream.taxonomies.writing import write_proposal

    left_out = LeftOutRows()
    stopped = told_if_interrupted(lambda: f"nothing was written to {output}; run it again")
    with stopped, err.status("reading the labels"):
        rows = read_labelled_texts(
            labels,
            text_column or [],
            label_column,
            lambda line: note(escape(line)),
            left_out.add,
            sheet,
        )
        proposal = propose(rows, none)
    written = write_proposal(proposal, output, name or output.resolve().name, force=force)
    _tell(proposal)
    left_out.tell(left_out.count + sum(category.texts for category in proposal.categories))
    for path in written:
        out.print(str(path), markup=False)
    note(f"next: edit them, then [bold]reviews taxonomy check {output}[/bold]")
    note(f"use it: [bold]export REVIEWS_TAXONOMY={output}[/bold]")


def _tell(proposal: Proposal) -> None:
    from rich.markup import escape
    from rich.table import Table

    known = proposal.categories
    texts = sum(category.texts for category in known)
    note(
        f"{len(known)} categories from {texts:,} texts in {' and '.join(proposal.languages) or 'a language that is not known'}; "
        f"none of these: {proposal.none or 'no label means that'}"
    )
    note(f"by words alone {proposal.agreement:.1%} of the labels are found again")
    if few := [f"{c.slug} ({c.texts})" for c in known if c.texts < _FEW]:
        note(f"[yellow]few texts:[/yellow] {', '.join(few[:10])}{' ...' if len(few) > 10 else ''}")  # noqa: PLR2004
    if proposal.contradicting:
        stand = "text stands" if proposal.contradicting == 1 else "texts stand"
        note(f"[yellow]{proposal.contradicting:,} {stand} under two labels[/yellow]")
    for label, meant in proposal.misspelled[:_MOST_NAMED]:
        note(
            f"[yellow]perhaps misspelled:[/yellow] {escape(repr(label))} for {escape(repr(meant))}: if so, "
            "delete its entry and write that label into the other's `formerly`"
        )
    if proposal.joined:
        named = some([repr(label) for label in proposal.joined], most=_MOST_NAMED)
        note(
            f"[yellow]several labels in one:[/yellow] {escape(named)}, whose parts are labels, too. Each "
            "became a category: if it is none, give its texts one label each"
        )
    if not proposal.mixed_up:
        return
    table = Table(box=None, pad_edge=False, title="mixed up most", title_justify="left")
    table.add_column("category")
    table.add_column("and")
    table.add_column("texts", justify="right")
    table.add_column("of both", justify="right")
    for pair in proposal.mixed_up:
        table.add_row(
            known[pair.one].slug, known[pair.other].slug, f"{pair.texts:,}", f"{pair.share:.0%}"
        )
    err.print(table)


@app.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of a taxonomy; else the active one.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a taxonomy has, what it lacks, and what that costs."""
    from rich.table import Table

    from schemas import active_taxonomy
    from stream.taxonomies.parts import check as look_through

    if folder is None:
        settings_from(None, None)
        taxonomy = active_taxonomy()
    else:
        taxonomy = _load(folder)
    findings = look_through(taxonomy)
    if as_json:
        shown = {"name": taxonomy.name, "digest": taxonomy.digest, "slugs": taxonomy.slugs}
        out.print_json(json.dumps({**shown, "findings": [asdict(f) for f in findings]}))
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("", "", taxonomy.name):
            table.add_column(column)
        for finding in findings:
            colour = _COLOURS[finding.state]
            table.add_row(finding.subject, f"[{colour}]{finding.state}[/{colour}]", finding.said)
        out.print(table)
        for info in taxonomy.infos:
            names = dict.fromkeys(info.name(language) for language in ("en", *taxonomy.languages))
            out.print(f"  {info.slug}: {', '.join(names)}", markup=False)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


@app.command()
def diff(old: Folder, new: Folder, as_json: Json = False) -> None:
    """Say what a new taxonomy changes, and what becomes of topics, labels, tasks and models."""
    from rich.table import Table

    from stream.taxonomies.diff import changes, steps

    before, after = _load(old), _load(new)
    found = changes(before, after)
    todo = steps(before, after, found, settings_from(None, None).topic_names)
    if as_json:
        out.print_json(json.dumps({"changes": [asdict(c) for c in found], **asdict(todo)}))
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("change", "before", "after"):
            table.add_column(column)
        for change in found:
            table.add_row(
                change.kind,
                some(change.before, most=_MOST_NAMED),
                some(change.after, most=_MOST_NAMED),
            )
        out.print(table if found else "no category changes")
        for line in todo.notes:
            out.print(line, markup=False)
        for title, topics in (("new topics", todo.topics_to_create), ("left", todo.topics_left)):
            if topics:
                out.print(f"{title}: {some(topics, most=_MOST_NAMED)}", markup=False)
        for command in todo.commands:
            note(f"run: [bold]{command}[/bold]")
    _require_explained(found)


def _require_explained(found: list[TaxonomyChange]) -> None:
    if gone := [change.before[0] for change in found if change.kind == "unexplained"]:
        note(
            f"[red]nothing says what became of {some(gone, most=_MOST_NAMED)}[/red]: name it in `formerly` of the "
            "category that it became, or in `removed`"
        )
        raise typer.Exit(1)


@app.command()
def schemas(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
) -> None:
    """Write JSON Schemas and the AsyncAPI document of the active taxonomy and your topics."""
    from schemas.generate import write
    from stream.errors import not_written

    settings = settings_from(None, None)
    try:
        written = write(output, settings.topic_names)
    except OSError as error:
        raise not_written(output, error, "name a folder that you may write to") from None
    for path in written:
        out.print(str(path), markup=False)


def _load(path: Path) -> Taxonomy:
    from schemas import TaxonomyError, load_taxonomy
    from stream.errors import ConfigError

    try:
        return load_taxonomy(path)
    except TaxonomyError as error:
        raise ConfigError(str(error), error.remedy) from None
