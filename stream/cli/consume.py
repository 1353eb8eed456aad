"""`reviews consume`: reading what the workers decided."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from stream.categories import title
from stream.cli.console import err, note, out, print_line
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Prefix, Servers, moment_from, settings_from
from stream.cli.signals import interruptible
from stream.terminal import one_line

if TYPE_CHECKING:
    from schemas import CategorizedReview, RelabelTask
    from stream.clients import DeadLetter, TopicReader
    from stream.settings import Settings

Print = Callable[[Any], None]


def consume(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[SLUG]...", help="More categories.")
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option("--category", "-c", metavar="SLUG", help="A category; all unless given."),
    ] = None,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Read what waits for a label.")
    ] = False,
    dead_letter: Annotated[
        bool, typer.Option("--dead-letter", help="Read what could not be processed.")
    ] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    group: Annotated[
        str | None,
        typer.Option(help="Consumer group that keeps the position.", show_default=False),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--drain", help="Wait for more, or end at the topics' end.")
    ] = True,
    limit: Annotated[
        int | None, typer.Option(min=1, help="End after so many.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Fields to print, parted by tabs: id, slug, category, confidence, reason, time, "
            "source, text, ...",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Only messages with this key: a review's id.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what is on Kafka since; UTC unless it says."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="POSITION",
            help="One message of any topic as it stands there, as reviews.incoming[2]@17.",
        ),
    ] = None,
) -> None:
    """Read decided reviews, reviews to relabel, or dead letters; committed ones only."""
    slugs = [*(category or ()), *(more or ())]
    if relabel + dead_letter + bool(slugs) + bool(at) > 1:
        raise typer.BadParameter("choose one of categories, --relabel, --dead-letter and --at")
    if since is not None and group is not None:
        raise typer.BadParameter("a group goes on where it was: --since is for reading without one")
    show_as = _columns(columns, relabel=relabel, dead_letter=dead_letter)
    settings = settings_from(servers, prefix)
    if at is not None:
        _print_message(settings, at)
        return
    options = {"group": group, "follow": follow, "key": key, "since": moment_from(since)}
    reader, show = _reader(settings, slugs, relabel, dead_letter, **options)
    seen = _Seen(_print_json if as_json else show_as or show)

    def what_is_left() -> str:
        if group is None:
            return str(seen)
        if reader.uncommitted:
            return f"{seen}; Kafka did not hear of all of them: group {group} reads the last ones again"
        return f"{seen}; group {group} goes on after them"

    with told_if_interrupted(what_is_left):
        interruptible(_read(reader, seen, limit))
    note(f"[dim]{seen}[/dim]")


def _columns(said: str | None, *, relabel: bool, dead_letter: bool) -> Print | None:
    from stream.cli.event_columns import known_columns, row

    if said is None:
        return None
    known = known_columns(relabel=relabel, dead_letter=dead_letter)
    names = [name.strip().lower() for name in said.split(",") if name.strip()]
    if absent := [name for name in names if name not in known]:
        raise typer.BadParameter(f"no column {', '.join(absent)}; there are {', '.join(known)}")
    return lambda event: print_line(row(event, names))


def _print_message(settings: Settings, said: str) -> None:
    from stream.clients.message import message_at, position_from

    record = interruptible(message_at(settings, position_from(said)))
    shown = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        "key": _shown(record.key),
        "headers": [[name, _shown(value)] for name, value in record.headers],
        "value": _shown(record.value),
    }
    print_line(json.dumps(shown, ensure_ascii=False))


def _shown(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _reader(
    settings: Settings,
    slugs: list[str],
    relabel: bool,
    dead_letter: bool,
    **options: Any,
) -> tuple[TopicReader[Any], Print]:
    from schemas import all_categories
    from stream.clients import CategoryConsumer, DeadLetterConsumer, RelabelConsumer

    if relabel:
        return RelabelConsumer(settings=settings, **options), _print_task
    if dead_letter:
        return DeadLetterConsumer(settings=settings, **options), _print_dead
    return CategoryConsumer(slugs or all_categories(), settings=settings, **options), _print_decided


class _Seen:
    """Shows events, and says how many they were."""

    def __init__(self, show: Print) -> None:
        self.count = 0
        self._show = show

    def __str__(self) -> str:
        return f"{self.count:,} {'event' if self.count == 1 else 'events'}"

    def show(self, event: Any) -> None:
        self._show(event)
        self.count += 1


async def _read(reader: TopicReader[Any], seen: _Seen, limit: int | None) -> None:
    async with reader:
        async for event in reader:
            seen.show(event)
            if seen.count == limit:
                break
    if reader.unreadable:
        err.print(f"{reader.unreadable:,} unreadable messages left out", style="yellow")


def _print_decided(event: CategorizedReview) -> None:
    decided = "" if event.decided_by == "model" else f" by {event.decided_by}"
    _line(title(event.category), f"{event.confidence:.2f}{decided}", event.review.text)


def _print_task(task: RelabelTask) -> None:
    best = sorted(task.probabilities.items(), key=lambda item: item[1], reverse=True)[:2]
    guesses = ", ".join(f"{title(category)} {p:.2f}" for category, p in best)
    _line("?", guesses, task.review.text)


def _print_dead(letter: DeadLetter) -> None:
    reason = f"{letter.reason.source}: {letter.reason.message}"
    text = "(no value)" if letter.value is None else _without_schema(letter.value)
    _line(letter.reason.code, one_line(reason), text)


def _without_schema(value: bytes) -> str:
    """Return a message as text; of Kafka Connect's the payload, which its schema would push off the line."""
    from schemas.envelopes import connect_payload

    text = value.decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return text
    payload = connect_payload(body)
    return text if payload is body else json.dumps(payload, ensure_ascii=False)


def _line(head: str, detail: str, text: str) -> None:
    out.print(
        Text.assemble(
            (f"{one_line(head):<24}", "bold"), (f"{detail}  ", "cyan"), one_line(text, 400)
        )
    )


def _print_json(event: Any) -> None:
    from pydantic import BaseModel

    if isinstance(event, BaseModel):
        line = event.model_dump_json()
    else:
        line = json.dumps(_dead_letter_json(event), ensure_ascii=False)
    # Not through Rich: a program reads this, byte for byte.
    print_line(line)


def _dead_letter_json(letter: DeadLetter) -> dict[str, object]:
    from base64 import b64encode
    from dataclasses import asdict

    value = letter.value
    return {
        "code": letter.reason.code,
        "message": letter.reason.message,
        "source": letter.reason.source.model_dump(),
        "position": letter.position.model_dump(),
        "key": letter.key.decode("utf-8", "replace") if letter.key is not None else None,
        "text": value.decode("utf-8", "replace") if value is not None else None,
        "value_base64": b64encode(value).decode() if value is not None else None,
        "cut": asdict(letter.reason.cut) if letter.reason.cut is not None else None,
    }
