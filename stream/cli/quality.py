"""`reviews quality`: measured precision of what was published, from audits."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.console import note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.outputs import Force, require_new_file
from stream.cli.signals import interruptible

if TYPE_CHECKING:
    from rich.table import Table

    from stream.audit.precision import Measured


_WEEK: Final = 7


def quality(
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Only what was published since; else all.", show_default=False),
    ] = None,
    promised: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=0.999, help="Else what the model's manifest says.", show_default=False
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Also by windows of so many days.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page as well; it holds no texts.", show_default=False),
    ] = None,
    force: Force = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Say how often what was published is right, by people who did not see the answer.

    Exit code 1: audits say with 95% confidence that a category's promise is not kept.
    """
    from stream.audit.precision import broken, measure, windows
    from stream.audit.reading import read_audits
    from stream.model.beginning import serving_manifest

    if html is not None:
        require_new_file(html, force=force)
    settings = settings_from(servers, prefix)
    if promised is None:
        promised = interruptible(serving_manifest(settings)).asked_precision or None
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    audits = interruptible(read_audits(settings, since))
    found = measure(audits)
    failing = broken(found, promised) if promised else []
    parts = windows(audits, every or _WEEK) if every or html else []
    if html is not None:
        from stream.audit.page import page

        html.write_text(page(found, parts, failing, promised, datetime.now(UTC)), encoding="utf-8")
    if as_json:
        rows = [_shown(one, one in failing) for one in found]
        told: dict[str, object] = {"promised": promised, "categories": rows}
        if every:
            told["windows"] = [
                {"from": start.isoformat(), "categories": [_shown(one) for one in part]}
                for start, part in parts
            ]
        out.print_json(json.dumps(told))
    else:
        _print(found, failing, promised)
        if every:
            out.print(_over_time(parts))
        if html is not None:
            note(f"the page: {html}")
    if failing:
        raise typer.Exit(1)


def _print(found: list[Measured], failing: list[Measured], promised: float | None) -> None:
    if not found[-1].audited:
        note("nothing was audited: [bold]export REVIEWS_AUDIT__PER_WEEK=100[/bold] for the workers")
        return
    out.print(_table(found, failing, promised))
    waiting = found[-1].audited - found[-1].decided - found[-1].unclear
    if waiting:
        note(f"{waiting:,} audits wait in the queue")
    for one in failing:
        from stream.audit.precision import title_of

        note(
            f"[red]{title_of(one.category)}: {one.precision:.1%} are right, {promised:.1%} are promised, "
            "and that is no chance[/red]: calibrate or retrain, see the guide on models"
        )


def _table(found: list[Measured], failing: list[Measured], promised: float | None) -> Table:
    from rich.table import Table

    from stream.audit.precision import title_of

    title = f"published precision, promised {promised:.1%}" if promised else "published precision"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("category")
    for name in ("audited", "decided", "right", "95% interval", "expected"):
        table.add_column(name, justify="right")
    table.add_column("people said")
    for one in found:
        share = "" if one.precision is None else f"{one.precision:.1%}"
        interval = f"{one.low:.1%} to {one.high:.1%}" if one.decided else ""
        others = ", ".join(f"{title_of(other)} {n}" for other, n in one.taken_for)
        style = "red" if one in failing else None
        table.add_row(
            title_of(one.category),
            f"{one.audited:,}",
            f"{one.decided:,}",
            share,
            interval,
            "" if one.expected is None else f"{one.expected:.1%}",
            others,
            style=style,
        )
    return table


def _over_time(parts: list[tuple[date, list[Measured]]]) -> Table:
    from rich.table import Table

    from stream.audit.precision import title_of

    table = Table(box=None, pad_edge=False)
    for name in ("from", "category"):
        table.add_column(name)
    for name in ("decided", "right", "95% interval"):
        table.add_column(name, justify="right")
    for start, part in parts:
        for one in part:
            if one.precision is not None:
                interval = f"{one.low:.1%} to {one.high:.1%}"
                decided, share = f"{one.decided:,}", f"{one.precision:.1%}"
                table.add_row(start.isoformat(), title_of(one.category), decided, share, interval)
    return table


def _shown(one: Measured, is_broken: bool | None = None) -> dict[str, object]:
    shown: dict[str, object] = {
        "category": one.category,
        "audited": one.audited,
        "decided": one.decided,
        "right": one.right,
        "unclear": one.unclear,
        "low": one.low,
        "high": one.high,
        "precision": one.precision,
        "expected": one.expected,
    }
    if is_broken is not None:
        shown["broken"] = is_broken
    return shown
