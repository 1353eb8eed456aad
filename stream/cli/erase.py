"""`reviews erase`: forgetting one review, and saying what cannot be forgotten yet."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.console import err, note, out
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.terminal import one_line

if TYPE_CHECKING:
    from stream.operations.erasure import Erasure
    from stream.operations.erasure_copies import TopicCopies


def erase(
    review_id: Annotated[str, typer.Argument(metavar="REVIEW_ID", help="Your own id of it.")],
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
    """Erase one review: labels, review queue, cache, data sets. Safe to run again.

    Topics that only grow cannot forget a single message: they are listed, each with the day on
    which the broker deletes what it holds. Exit code 1 when there was nothing to erase.
    """
    from stream.operations.erasure import Eraser

    settings = settings_from(servers, prefix)
    with err.status("reading the topics") as status:
        eraser = Eraser(
            settings,
            more_files=file or [],
            look_in=look_in or [],
            dry_run=dry_run,
            on_progress=lambda read: status.update(f"reading the topics: {read:,} records"),
        )
        done = asyncio.run(eraser.run(review_id))
    if as_json:
        out.print_json(json.dumps(_document(done, dry_run=dry_run)))
    else:
        _print(done)
    if not done.found:
        note("nothing is known of a review with this id")
        raise typer.Exit(1)
    if dry_run:
        note("nothing was changed; without --dry-run it is")
    elif done.models:
        numbers = ", ".join(map(str, done.models))
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
