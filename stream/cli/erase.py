"""`reviews erase`: forgetting reviews, and saying what cannot be forgotten yet."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from stream.cli.console import err, note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible
from stream.errors import InputError
from stream.terminal import one_line

if TYPE_CHECKING:
    from stream.operations.erasure import Erasure
    from stream.operations.erasure_copies import TopicCopies


def erase(
    review_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="REVIEW_ID...",
            help="Your own ids; - reads them from standard input, one a line.",
        ),
    ],
    file: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labelled file (.jsonl, .csv) to take the review out of, too; repeatable.",
            show_default=False,
        ),
    ] = None,
    look_in: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder or file to search for what still tells of it: reports, say; repeatable.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, change nothing.")] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Erase reviews: labels, review queue, cache, data sets. Safe to run again.

    Topics that only grow cannot forget a single message: they are listed, each with the day on
    which the broker deletes what it holds. Exit code 1 when of one review nothing was known.
    """
    from stream.operations.erasure import Eraser

    wanted = _named(review_ids)
    settings = settings_from(servers, prefix)
    status = err.status("reading the topics")
    eraser = Eraser(
        settings,
        more_files=file or [],
        look_in=look_in or [],
        dry_run=dry_run,
        on_progress=lambda read: status.update(f"reading the topics: {read:,} records"),
    )

    def what_is_left() -> str:
        if dry_run:
            return "nothing was changed"
        done = f"{len(eraser.erased):,} of {len(wanted):,} reviews were erased"
        return f"{done}; run the same command again: it does what is left"

    with told_if_interrupted(what_is_left), status:
        erased = interruptible(eraser.run(wanted))
    if as_json:
        documents = [_document(done, dry_run=dry_run) for done in erased]
        out.print_json(json.dumps(documents if len(documents) > 1 else documents[0]))
    else:
        for done in erased:
            if len(erased) > 1:
                out.print(f"[b]{escape(one_line(done.review_id))}[/b]")
            _print(done)
    unknown = [done.review_id for done in erased if not done.found]
    if len(erased) > len(unknown):
        _tell_what_else([done for done in erased if done.found], dry_run=dry_run)
    if unknown:
        if len(erased) == 1:
            note("nothing is known of a review with this id")
        else:
            note(f"nothing is known of {', '.join(map(one_line, unknown))}")
        raise typer.Exit(1)


def _named(review_ids: list[str]) -> list[str]:
    """Return the ids that were named, without repetitions; a dash stands for those on standard input.

    Raises:
        InputError: none was named.
    """
    named: list[str] = []
    for review_id in review_ids:
        if review_id == "-":
            named += [line.strip() for line in sys.stdin if line.strip()]
        else:
            named.append(review_id)
    if not named:
        raise InputError("no id was named", "write one a line")
    return list(dict.fromkeys(named))


def _tell_what_else(erased: list[Erasure], *, dry_run: bool) -> None:
    """Say what was not done: all of it in a rehearsal; what models have learned, otherwise."""
    if dry_run:
        note("nothing was changed; without --dry-run it is")
    elif models := sorted({number for done in erased for number in done.models}):
        numbers = ", ".join(map(str, models))
        note(f"models {numbers} had learnt from it; what the next `reviews retrain` makes has not")


def _print(done: Erasure) -> None:
    for topic in done.topics:
        out.print(f"{topic.topic:<40} {topic.records:>4} records  {_fate(topic)}", markup=False)
    for held in done.files:
        out.print(f"{one_line(held.path):<40} {held.rows:>4} rows     taken out", markup=False)
    if done.queue:
        out.print("the review queue's Redis held it: taken out", markup=False)
    for trace in done.traces:
        out.print(f"{one_line(trace.where)}  LEFT: {one_line(trace.what)}", markup=False)
    if done.cached:
        out.print(f"{done.cached} answers for its text in the cache: taken out", markup=False)


def _fate(topic: TopicCopies) -> str:
    """Say what becomes of a topic's records."""
    if topic.compacted and topic.tombstoned:
        return "tombstone: gone when the broker compacts"
    if topic.kept_until is None and topic.without_text:
        return "kept for ever: id and decision, no text"
    if topic.kept_until is None:
        return "KEPT by the broker, with its text, for as long as nobody deletes it there"
    return f"deleted by the broker after {_day(topic.kept_until)}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _document(done: Erasure, *, dry_run: bool) -> dict[str, Any]:
    return {
        "review_id": done.review_id,
        "dry_run": dry_run,
        "tombstones": done.tombstones,
        "queue": done.queue,
        "cached": done.cached,
        "files": [{"path": held.path, "rows": held.rows} for held in done.files],
        "models": done.models,
        "left": [{"where": trace.where, "what": trace.what} for trace in done.traces],
        "topics": [
            {
                "topic": topic.topic,
                "records": topic.records,
                "erased": topic.erased,
                "compacted": topic.compacted,
                "kept_until": topic.kept_until.isoformat() if topic.kept_until else None,
            }
            for topic in done.topics
        ],
    }
