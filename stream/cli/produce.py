"""`reviews produce`: publishing reviews from a file or standard input."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.rows import FileFormat, Rows, progress_over

if TYPE_CHECKING:
    from stream.settings import Settings


def produce(
    file: Annotated[
        Path, typer.Argument(help="CSV (id,text), JSON lines or lines of text; - for input.")
    ],
    servers: Servers = None,
    prefix: Prefix = None,
    file_format: FileFormat = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most reviews to send.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check, send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish reviews to the incoming topic.

    A row without an id gets one derived from its text, the same every time. A row that is no
    review is left out and named; the exit code is then 1.
    """
    settings = settings_from(servers, prefix)
    rows = Rows(file, file_format)
    started = time.monotonic()
    if dry_run:
        valid, sent = sum(1 for _ in rows.reviews(limit)), 0
    else:
        valid = sent = asyncio.run(_send(rows, limit, settings))
    seconds = time.monotonic() - started
    if as_json:
        report = {"sent": sent, "valid": valid, "left_out": rows.left_out}
        out.print_json(json.dumps({**report, "seconds": round(seconds, 3)}))
    topic = settings.topic_names.incoming
    verb = "would be sent" if dry_run else "sent"
    note(f"{valid:,} reviews {verb} to [bold]{topic}[/bold] in {seconds:.1f} s")
    rows.exit_if_any_left_out()


async def _send(rows: Rows, limit: int | None, settings: Settings) -> int:
    from stream.clients import ReviewProducer

    async with ReviewProducer(settings) as producer:
        with progress_over(rows, "publishing") as progress:

            def show(delivered: int) -> None:
                task = progress.task_ids[0]
                progress.update(task, completed=rows.bytes_read, done=delivered)

            return await producer.send_many(rows.reviews(limit), show)
