"""`reviews queue`: the pages where people decide, and what is needed around them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stream.cli import queue_accounts
from stream.cli.console import err, note, out, print_data
from stream.cli.interruption import exit_as_stopped
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.reading import reads_files
from stream.cli.signals import StopSignals, interruptible
from stream.terminal import one_line

if TYPE_CHECKING:
    from stream.files import Options
    from stream.queue.desk import DecidedTogether
    from stream.queue.export import Format
    from stream.queue.label_studio import Annotation
    from stream.queue.server import Serving
    from stream.settings import Settings

app = typer.Typer(
    help="People decide what the model is unsure of, in the browser.",
    invoke_without_command=True,
    no_args_is_help=False,
)
queue_accounts.register(app)

_POLL_SECONDS: Final = 0.2


@app.callback()
def queue(
    context: typer.Context,
    servers: Servers = None,
    prefix: Prefix = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0: any free port.", show_default=False)
    ] = None,
) -> None:
    """Serve the review queue until stopped. The first start prints a one-time link."""
    if context.invoked_subcommand is not None:
        return
    from stream.logs import configure_logs

    given: dict[str, Any] = {"host": host, "port": port}
    section = {name: value for name, value in given.items() if value is not None}
    settings = settings_from(servers, prefix, **({"queue": section} if section else {}))
    configure_logs(settings.log, settings.privacy.redact_kinds)
    exit_as_stopped(interruptible(_serve(settings)))


@app.command("rebuild")
def rebuild(servers: Servers = None, prefix: Prefix = None) -> None:
    """Restore the working set from Kafka. People wait meanwhile; nothing decided is lost."""
    settings = settings_from(servers, prefix)
    records = interruptible(_rebuild(settings))
    note(f"the working set is restored from {records:,} records")


@app.command("export")
def export(
    form: Annotated[
        str, typer.Option("--format", "-f", help="csv, excel, jsonl or label-studio.")
    ] = "jsonl",
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Print all decisions that hold now. Only Kafka is needed."""
    from stream.queue.export import MEDIA_TYPES, standing_of, written
    from stream.queue.label_topic import read_labels

    if form not in MEDIA_TYPES:
        raise typer.BadParameter(f"choose one of {', '.join(MEDIA_TYPES)}", param_hint="--format")
    chosen: Format = form
    read = interruptible(read_labels(settings_from(servers, prefix)))
    labels = standing_of(read)
    for part in written(labels, chosen):
        print_data(part)
    err.print(f"{len(labels):,} decisions", style="dim")
    if read.unreadable:
        err.print(f"{read.unreadable:,} unreadable messages left out", style="yellow")


@app.command("import")
@reads_files
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="Export of Label Studio, doccano, Prodigy or Argilla, or a table with review_id and "
            "category."
        ),
    ],
    who: Annotated[str, typer.Option("--as", help="Account in whose name it is decided.")],
    servers: Servers = None,
    prefix: Prefix = None,
    *,
    reading_as: Options,
) -> None:
    """Take in annotations made elsewhere. Only what waits here is decided."""
    from stream.queue.label_studio import read_annotation_file

    settings = settings_from(servers, prefix)
    _require_account(who)
    annotations, not_read, understood = read_annotation_file(file, reading_as)
    err.print(f"reading {one_line(understood)}", markup=False, style="dim", soft_wrap=True)
    outcome = interruptible(_import(settings, who, annotations))
    note(f"decided: {len(outcome.decided)}")
    if outcome.refused or not_read:
        note(f"left out: {len(outcome.refused)} not waiting here, {not_read} without a category")
        raise typer.Exit(1)


@app.command("bench")
def bench_queue(
    items: Annotated[int, typer.Option(min=1, help="Pending reviews.")] = 50_000,
    people: Annotated[int, typer.Option(min=1, help="Who work at the same time.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 30.0,
    pause: Annotated[
        float, typer.Option(min=0, help="Seconds a person reads; 0: none, a stress test.")
    ] = 1.0,
    as_json: Json = False,
) -> None:
    """Measure how long people wait for the next review. Needs Redis; Kafka is left out."""
    from dataclasses import asdict

    from rich.table import Table

    from stream.queue.bench import bench

    with _redis_errors(), err.status(f"filing {items:,} reviews, then {people} people work"):
        report = interruptible(bench(settings_from(None, None), items, people, seconds, pause))
    if as_json:
        out.print_json(json.dumps(asdict(report)))
        return
    table = Table("request", "count", "p50 ms", "p99 ms", "longest ms")
    for waits in report.waits:
        figures = (f"{ms:.1f}" for ms in (waits.p50, waits.p99, waits.most))
        table.add_row(waits.name, f"{waits.count:,}", *figures)
    out.print(table)
    note(
        f"{report.items:,} pending, {report.people} people, "
        f"{report.decisions_per_second:.1f} decisions/s; filed in {report.filing_seconds:.0f} s"
    )


def _require_account(name: str) -> None:
    from stream.queue.errors import AccountError

    if queue_accounts.open_accounts().get(name) is None:
        raise AccountError(f"there is no account {name}", "`reviews queue users` lists them")


async def _serve(settings: Settings) -> signal.Signals | None:
    from stream.queue.server import serve

    signals = StopSignals()
    await serve(settings, signals.stop, _announce)
    return signals.first


def _announce(serving: Serving) -> None:
    err.print(f"the review queue is at {serving.url}", soft_wrap=True, markup=False)
    if serving.welcome is not None:
        note("nobody has an account yet; this link makes the first one, once:")
        err.print(f"  {serving.welcome}", soft_wrap=True, markup=False)
    note("Ctrl-C stops it; nothing decided is lost")


@contextmanager
def _redis_errors() -> Iterator[None]:
    from redis.exceptions import RedisError

    from stream.errors import CacheError

    try:
        yield
    except RedisError as error:
        raise CacheError(
            f"Redis failed: {type(error).__name__}", "`reviews doctor` says more"
        ) from None


async def _rebuild(settings: Settings) -> int:
    from stream.kafka.topics import list_topics, require_topics
    from stream.queue.filing import Filing
    from stream.queue.intake import Intake
    from stream.queue.sealed_scripts import queue_redis
    from stream.queue.server import require_redis

    names = settings.topic_names
    require_topics(
        [names.relabel, names.labels, names.judgements], await list_topics(settings.kafka)
    )
    scripts = queue_redis(settings)
    redis = scripts.redis
    stop = asyncio.Event()
    try:
        await require_redis(redis)
        filing = Filing(scripts)
        with _redis_errors():
            await filing.start_anew()
            # A running server may be quicker, or this process takes the lead: either will do.
            name = f"{settings.queue.name}:rebuild:{os.getpid()}"
            work = asyncio.create_task(Intake(settings, filing, name).run(stop))
            try:
                with err.status("restoring …") as status:
                    while not work.done() and not await filing.is_ready():
                        await asyncio.sleep(_POLL_SECONDS)
                        done, total = await filing.progress()
                        status.update(f"restoring … {done:,} of {total:,} records")
            finally:
                stop.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
            return (await filing.progress())[0]
    finally:
        await redis.aclose()


async def _import(settings: Settings, who: str, annotations: list[Annotation]) -> DecidedTogether:
    from stream.queue.claims import Claims
    from stream.queue.desk import Desk, Person
    from stream.queue.importing import import_annotations
    from stream.queue.publisher import DecisionPublisher
    from stream.queue.sealed_scripts import queue_redis
    from stream.queue.server import require_redis
    from stream.queue.working_set import WorkingSet

    scripts = queue_redis(settings)
    redis = scripts.redis
    publisher = DecisionPublisher(settings, role=f"import-{os.getpid()}")
    try:
        await require_redis(redis)
        await publisher.start()
        working_set = WorkingSet(scripts, settings.queue)
        claims = Claims(scripts, settings.queue)
        desk = Desk(working_set, claims, publisher, settings.queue)
        with _redis_errors():
            return await import_annotations(desk, Person(who), annotations)
    finally:
        await publisher.stop()
        await redis.aclose()
