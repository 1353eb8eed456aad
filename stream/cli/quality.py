"""`reviews quality`: measured precision of what was published, from audits."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import note, out
from stream.cli.options import Json, Prefix, Servers, settings_from

if TYPE_CHECKING:
    from rich.table import Table

    from stream.audit.precision import Measured


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
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Say how often what was published is right, by people who did not see the answer.

    Exit code 1: audits say with 95% confidence that a category's promise is not kept.
    """
    from stream.audit.precision import broken, measure
    from stream.audit.reading import read_audits
    from stream.model.folder import read_manifest

    settings = settings_from(servers, prefix)
    if promised is None:
        promised = read_manifest(settings.model.folder).asked_precision or None
    since = datetime.now(UTC) - timedelta(days=days) if days else None
    found = measure(*asyncio.run(read_audits(settings, since)))
    failing = broken(found, promised) if promised else []
    if as_json:
        rows = [_shown(one, one in failing) for one in found]
        out.print_json(json.dumps({"promised": promised, "categories": rows}))
    else:
        _print(found, failing, promised)
    if failing:
        raise typer.Exit(1)


def _print(found: list[Measured], failing: list[Measured], promised: float | None) -> None:
    if not found[-1].audited:
        note("nothing was audited: [bold]export REVIEWS_AUDIT__SHARE=0.01[/bold] for the workers")
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
    for name in ("audited", "decided", "right", "95% interval"):
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
            others,
            style=style,
        )
    return table


def _shown(one: Measured, is_broken: bool) -> dict[str, object]:
    return {
        "category": one.category,
        "audited": one.audited,
        "decided": one.decided,
        "right": one.right,
        "unclear": one.unclear,
        "low": one.low,
        "high": one.high,
        "broken": is_broken,
    }
