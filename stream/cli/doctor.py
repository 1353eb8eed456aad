"""`reviews doctor`: is everything there that the pipeline needs, and if not, what to do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Final

import typer

from stream.cli.console import err, note, one_line, out
from stream.cli.options import Json, Prefix, Servers, settings_from

_MARK: Final = {
    "ok": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "failed": "[red]✗[/red]",
    "skipped": "[dim]-[/dim]",
}


def doctor(servers: Servers = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Check versions, model, broker, topics, Redis, ports and disk; say what to do.

    Exit code 1 when something that is needed is missing.
    """
    from rich.markup import escape

    from stream.cli.checks import examine

    settings = settings_from(servers, prefix)
    with err.status("examining"):
        findings = asyncio.run(examine(settings))
    failed = any(finding.state == "failed" for finding in findings)
    if as_json:
        out.print_json(json.dumps([asdict(finding) for finding in findings]))
        raise typer.Exit(1 if failed else 0)
    for finding in findings:
        out.print(f"{_MARK[finding.state]} {finding.name:<9} {escape(one_line(finding.detail))}")
        if finding.remedy:
            out.print(f"            [bold]try:[/bold] {escape(one_line(finding.remedy))}")
    if failed:
        raise typer.Exit(1)
    note("all that is needed is there")
