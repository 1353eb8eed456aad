"""`reviews replay`: putting dead letters back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from stream.cli.console import err, note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json, Prefix, Servers, moment_from, settings_from
from stream.cli.signals import interruptible


def replay(
    dead_letter: Annotated[
        bool, typer.Option("--dead-letter", help="Replay the dead-letter topic.")
    ] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most letters to replay.", show_default=False)
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option(help="Only what failed for this reason, as not-json; repeatable."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Only messages with this key; repeatable.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what was sent since; UTC unless it says."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what was sent before.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(help="Also what was sent back before and failed for the same reason."),
    ] = False,
    sent_before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Where nobody knows what was sent back: what died before this was, the rest was not.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Send dead letters back to the incoming topic, each exactly once.

    Original bytes, key and headers are kept. Do it once their cause is mended; a letter that dies
    again becomes a new dead letter, and for the same reason it is sent again with --again only.
    What was not chosen waits for a later replay.
    """
    from stream.operations.replay import DeadLetterReplay
    from stream.operations.replay_choice import Choice

    if not dead_letter:
        raise typer.BadParameter("say what to replay: --dead-letter")
    choice = Choice(
        frozenset(code or ()),
        frozenset(name.encode("utf-8", "surrogateescape") for name in key or ()),
        moment_from(since),
        moment_from(until),
        again,
    )
    settings = settings_from(servers, prefix)
    job = DeadLetterReplay(
        settings, choice, limit=limit, sent_before=moment_from(sent_before), dry_run=dry_run
    )

    def what_is_left() -> str:
        if dry_run:
            return "nothing was changed"
        return (
            f"at least {job.report.replayed:,} dead letters were sent back to "
            f"{settings.topic_names.incoming}; the same command goes on, and sends none twice"
        )

    with told_if_interrupted(what_is_left), err.status("replaying"):
        report = interruptible(job.run())
    if as_json:
        out.print_json(json.dumps({**asdict(report), "dry_run": dry_run}))
    verb = "would be sent" if dry_run else "sent"
    note(f"{report.replayed:,} dead letters {verb} back to {settings.topic_names.incoming}")
    if report.left:
        note(f"{report.left:,} others wait for a later replay")
    if report.came_back:
        note(
            f"[yellow]{report.came_back:,} left out: they were sent back before and failed for the "
            "same reason. --again sends them once more[/yellow]"
        )
    if report.cut:
        note(
            f"[yellow]{report.cut:,} left out: only their beginning is kept. `reviews consume "
            "--dead-letter --json` says where the originals stood[/yellow]"
        )
    if report.too_large:
        note(
            f"[yellow]{report.too_large:,} left out: larger than {settings.topic_names.incoming} "
            "takes; they came in compressed[/yellow]"
        )
    if report.foreign:
        note(f"[yellow]{report.foreign:,} left out: not dead letters of this pipeline[/yellow]")
