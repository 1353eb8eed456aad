"""`reviews doctor`: is everything there that the pipeline needs, and if not, what to do."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import typer

from stream.cli.console import err, note, out
from stream.cli.findings import Finding
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible
from stream.terminal import one_line

_MARK: Final = {
    "ok": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "failed": "[red]✗[/red]",
    "skipped": "[dim]-[/dim]",
}


def doctor(servers: Servers = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Check versions, model, broker, topics, Redis, ports and disk; say what to do.

    Exit code 0 when all that is needed is there; else that of what is missing (3 model, 4 Kafka, 2 a
    setting), or 1 when it is more than one thing.
    """
    from rich.markup import escape

    from stream.cli.checks import examine

    settings = settings_from(servers, prefix)
    with err.status("examining"):
        findings = interruptible(examine(settings))
    codes = {finding.exit_code for finding in findings if finding.state == "failed"}
    code = 0 if not codes else codes.pop() if len(codes) == 1 else 1
    if as_json:
        out.print_json(json.dumps([_shown(finding) for finding in findings]))
        raise typer.Exit(code)
    for finding in findings:
        out.print(f"{_MARK[finding.state]} {finding.name:<9} {escape(one_line(finding.detail))}")
        if finding.remedy:
            out.print(f"            [bold]try:[/bold] {escape(one_line(finding.remedy))}")
    if code:
        raise typer.Exit(code)
    note("all that is needed is there")


def _shown(finding: Finding) -> dict[str, Any]:
    shown = asdict(finding)
    if finding.state != "failed":
        shown["exit_code"] = 0
    return shown
