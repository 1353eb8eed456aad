"""`reviews produce`: publishing reviews from a file or standard input."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli.console import note, out, print_line
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.reading import (
    Delimiter,
    FileEncoding,
    FileFormat,
    IdColumn,
    TextColumns,
    reading,
)
from stream.cli.rows import Rows, progress_over

if TYPE_CHECKING:
    from stream.settings import Settings

_SHOWN: Final = 5


def produce(
    file: Annotated[
        Path,
        typer.Argument(help="CSV, xlsx, ods, JSON or lines of text, packed or not; - for input."),
    ],
    servers: Servers = None,
    prefix: Prefix = None,
    file_format: FileFormat = "auto",
    text_column: TextColumns = None,
    id_column: IdColumn = None,
    encoding: FileEncoding = None,
    delimiter: Delimiter = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most reviews to send.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, check and show the first five; send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish reviews to the incoming topic.

    How the file is made and which column is what is found out and said before anything is sent; a
    file of which much does not parse is refused as a whole. A row without an id gets one derived
    from its text, the same every time. A row that is no review is left out and named; the exit code
    is then 1.
    """
    settings = settings_from(servers, prefix)
    rows = Rows(file, reading(file_format, text_column, id_column, None, encoding, delimiter))
    rows.check()
    started = time.monotonic()
    if dry_run:
        valid, sent = _shown(rows, limit, as_json=as_json), 0
    else:
        valid = sent = asyncio.run(_send(rows, limit, settings))
    seconds = time.monotonic() - started
    if as_json:
        report = {"sent": sent, "valid": valid, **rows.counts()}
        out.print_json(json.dumps({**report, "seconds": round(seconds, 3)}))
    topic = settings.topic_names.incoming
    verb = "would be sent" if dry_run else "sent"
    note(f"{valid:,} reviews {verb} to [bold]{topic}[/bold] in {seconds:.1f} s")
    rows.exit_if_any_left_out()


def _shown(rows: Rows, limit: int | None, *, as_json: bool) -> int:
    """Print the first reviews as they would be sent; return how many there are."""
    from schemas import encode

    count = 0
    for count, review in enumerate(rows.reviews(limit), start=1):
        if count <= _SHOWN and not as_json:
            print_line(encode(review).decode())
    return count


async def _send(rows: Rows, limit: int | None, settings: Settings) -> int:
    from stream.clients import ReviewProducer

    async with ReviewProducer(settings) as producer:
        with progress_over(rows, "publishing") as progress:

            def show(delivered: int) -> None:
                task = progress.task_ids[0]
                progress.update(task, completed=rows.bytes_read, done=delivered)

            return await producer.send_many(rows.reviews(limit), show)
