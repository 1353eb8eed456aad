"""`reviews config`: the settings in force, and where each comes from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from stream.cli.console import out
from stream.cli.options import Json


def config(
    reference: Annotated[
        bool, typer.Option("--reference", help="Print the reference of all settings, Markdown.")
    ] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what differs from the defaults.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every setting in force and where its value comes from; secrets are masked."""
    from stream.settings import load_settings
    from stream.settings.reference import reference_markdown, settings_in_force

    if reference:
        typer.echo(reference_markdown(), nl=False)
        return
    found = [
        setting
        for setting in settings_in_force(load_settings())
        if not changed or setting.origin != "default"
    ]
    if as_json:
        out.print_json(json.dumps([asdict(setting) for setting in found]))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for setting in found:
        style = None if setting.origin == "default" else "bold"
        table.add_row(setting.name, setting.value, setting.origin, style=style)
    out.print(table)
