"""`reviews produce`: publishing reviews from a file or standard input."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stream.cli import INTERRUPTED, TERMINATED
from stream.cli.console import note, out, print_line
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.read_ahead import ReadAhead
from stream.cli.reading import (
    Delimiter,
    FileEncoding,
    FileFormat,
    IdColumn,
    SheetName,
    TextColumns,
    reading,
)
from stream.cli.rows import Rows, progress_over
from stream.cli.signals import StopSignals, interruptible
from stream.cli.unfinished import Unfinished
from stream.errors import InputError

if TYPE_CHECKING:
    from schemas import Review
    from stream.clients import ReviewProducer
    from stream.settings import Settings

_SHOWN: Final = 5
# What is in flight is waited for; a broker that does not answer holds nobody for longer. With what closing
# takes it is less than the ten seconds after which Docker kills: the last line is to be said.
_PATIENCE: Final = 6.0
# For what none of us has thought of.
_END_SECONDS: Final = 20.0


class _GivenUp(Exception):
    """What was in flight when it was stopped is not acknowledged."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """How many reviews were delivered, and how that ended."""

    count: int
    stopped: signal.Signals | None = None
    in_doubt: bool = False
    """Further ones may be there: the broker did not say."""


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
    sheet: SheetName = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most reviews to send.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, check and show the first five; send nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after what a stopped run has sent of the file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish reviews to the incoming topic. Ctrl-C says how many are there; --resume goes on.

    How the file is made and which column is what is found out and said before anything is sent; a
    file of which much does not parse is refused as a whole. A row without an id gets one derived
    from its text, the same every time. A row that is no review is left out and named; the exit code
    is then 1.
    """
    settings = settings_from(servers, prefix)
    topic = settings.topic_names.incoming
    servers = settings.kafka.bootstrap_servers
    unfinished = Unfinished(file, topic, servers, sheet=sheet or "") if file.is_file() else None
    rows = Rows(
        file, reading(file_format, text_column, id_column, None, encoding, delimiter, sheet)
    )
    rows.check()
    started = time.monotonic()
    skipped = _left_off(unfinished, resume=resume)
    found = _Sent(0)
    if dry_run:
        valid = _shown(rows, limit, as_json=as_json)
    else:
        try:
            found = interruptible(_send(rows, limit, settings, unfinished, skipped))
        except KeyboardInterrupt:  # later ones are heard: see _send
            note("[yellow]stopped before Kafka answered: nothing was sent[/yellow]")
            raise typer.Exit(INTERRUPTED) from None
        valid = found.count
    seconds = time.monotonic() - started
    if as_json:
        report = {"sent": found.count, "valid": valid, "skipped": skipped, **rows.counts()}
        out.print_json(json.dumps({**report, "seconds": round(seconds, 3)}))
    verb = "would be sent" if dry_run else "sent"
    note(f"{valid:,} reviews {verb} to [bold]{topic}[/bold] in {seconds:.1f} s")
    if found.stopped:
        there = skipped + found.count
        kept = unfinished is not None and unfinished.note(there, at_once=True)
        if found.in_doubt:
            note("[yellow]Kafka does not answer: what was on its way may be there, too[/yellow]")
        _say_stopped(there, kept=kept)
        raise typer.Exit(TERMINATED if found.stopped == signal.SIGTERM else INTERRUPTED)
    rows.exit_if_any_left_out()


def _left_off(unfinished: Unfinished | None, *, resume: bool) -> int:
    """Return how many reviews to skip; say so where a stopped run could be gone on with."""
    if unfinished is None:
        if resume:
            raise InputError("only a file can be gone on with", "name one instead of -")
        return 0
    if resume:
        if not (skipped := unfinished.delivered()):
            raise InputError("no stopped run of this file is known here", "leave --resume out")
        note(f"{skipped:,} reviews of it are there already; going on after them")
        return skipped
    with contextlib.suppress(InputError):  # it has changed: a file of its own
        if before := unfinished.delivered():
            note(
                f"[yellow]an earlier run has sent {before:,} reviews of it: they are sent again, under "
                "the same ids; --resume goes on after them[/yellow]"
            )
    return 0


def _say_stopped(delivered: int, *, kept: bool) -> None:
    again = "again sends everything a second time, under the same ids, and it is classified again"
    if not kept:
        note(f"[yellow]stopped: Kafka has {delivered:,} reviews; the same input {again}[/yellow]")
        return
    note(
        f"[yellow]stopped: Kafka has the first {delivered:,} reviews of the file. "
        f"`--resume` goes on after them; the same command {again}[/yellow]"
    )


def _shown(rows: Rows, limit: int | None, *, as_json: bool) -> int:
    """Print the first reviews as they would be sent; return how many there are."""
    from schemas import encode

    count = 0
    for count, review in enumerate(rows.reviews(limit), start=1):
        if count <= _SHOWN and not as_json:
            print_line(encode(review).decode())
    return count


async def _send(
    rows: Rows, limit: int | None, settings: Settings, unfinished: Unfinished | None, skipped: int
) -> _Sent:
    """Send reviews until all are delivered, or a signal comes."""
    from stream.clients import ReviewProducer
    from stream.kafka.stopping import unless_stopped

    most, sent, in_doubt = None if limit is None else skipped + limit, 0, False
    # Heard from when the broker answers, for as long as something may be in flight.
    with contextlib.ExitStack() as heard, contextlib.suppress(_GivenUp):
        async with ReviewProducer(settings) as producer:
            with progress_over(rows, "publishing") as progress:
                # Once more does not hurry it: it is to say what is there.
                listening = StopSignals(ends_within=_END_SECONDS, again_ends=False)
                signals = heard.enter_context(listening)

                def show(delivered: int) -> None:
                    nonlocal sent
                    sent, task = delivered, progress.task_ids[0]
                    progress.update(task, completed=rows.bytes_read, done=delivered)
                    if unfinished is not None:
                        unfinished.note(skipped + delivered)

                reviews = itertools.islice(rows.reviews(most), skipped, None)
                if unfinished is None:
                    sending = _send_as_they_come(producer, reviews, signals.stop, show)
                else:
                    sending = producer.send_many(_until(signals.stop, reviews), show)
                in_doubt = not await unless_stopped(sending, signals.stop, _PATIENCE)
                if in_doubt:
                    raise _GivenUp
    if unfinished is not None and not signals.first:
        if sent == limit:  # it may have more
            unfinished.note(skipped + sent, at_once=True)
        else:
            unfinished.forget()
    return _Sent(sent, signals.first, in_doubt)


def _until(stop: asyncio.Event, reviews: Iterator[Review]) -> Iterator[Review]:
    for review in reviews:
        if stop.is_set():
            return
        yield review


async def _send_as_they_come(
    producer: ReviewProducer,
    reviews: Iterator[Review],
    stop: asyncio.Event,
    show: Callable[[int], None],
) -> int:
    """Send what a pipe has said at once, also while it says no more; return how many are delivered."""
    sent = 0
    ahead = ReadAhead(reviews)
    stopping = asyncio.ensure_future(stop.wait())
    stopping.add_done_callback(lambda _: ahead.close())
    try:
        async for there in ahead:
            sent += await producer.send_many(there)
            show(sent)
    finally:
        stopping.cancel()
    return sent
