"""`reviews demo`: the whole pipeline once, for someone who sees it for the first time."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schemas import active_taxonomy
from schemas.taxonomy import MARKETPLACE
from stream.cli.console import err, note, out
from stream.cli.local import DEFAULT_DATA_DIR, DataDir, local_errors, local_stack
from stream.cli.options import settings_from
from stream.cli.rows import Rows
from stream.cli.signals import interruptible

if TYPE_CHECKING:
    from schemas import Review
    from stream.demo.run import DemoReport
    from stream.settings import Settings

EXAMPLES: Final = MARKETPLACE / "demo.jsonl"
# Only what a former demo named: a person's own topics are never touched.
_FORMER_RUN: Final = re.compile(r"demo-\d{8}-\d{6}\.")
# A production worker gives Redis 50 ms; on a laptop that has just started a Kafka, cores are scarce.
_CACHE_SECONDS: Final = 2.0
# Of a file of one's own, so many go round on the live page.
_SHOWN_REVIEWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Servers:
    """The Kafka and Redis that a demo runs on."""

    bootstrap_servers: str
    redis_url: str | None
    embedded: bool
    stay: bool
    """Whether they go on after the demo."""


def demo(
    file: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="Reviews of your own: CSV, JSON lines or lines."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Go on afterwards: serve the live page until Ctrl-C, and leave Kafka and Redis "
            "running then.",
        ),
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Run the whole pipeline once: Kafka, Redis, a worker, example reviews; watch it, check it.

    Uses a Kafka that `reviews up` or REVIEWS_KAFKA__BOOTSTRAP_SERVERS provides, or else starts one
    and stops it again.
    """
    from stream.demo.summary import print_report

    rows = Rows(file or EXAMPLES)
    rows.check()
    with _servers(data_dir, keep=keep) as servers:
        settings = _settings(servers)
        data_dir.mkdir(parents=True, exist_ok=True)
        first: list[Review] = []
        reviews = _remembering(rows.reviews(), first)
        report = interruptible(_run(settings, servers, reviews, data_dir.resolve()))
        print_report(out, report)
        if keep:
            _go_on(settings, first, data_dir.resolve())
        _print_whereabouts(settings, servers, data_dir)
    if report.verdict is None or not report.verdict.exactly_once:
        raise typer.Exit(1)
    rows.exit_if_any_left_out()


@contextmanager
def _servers(data_dir: Path, *, keep: bool) -> Iterator[Servers]:
    settings = settings_from(None, None)
    if "bootstrap_servers" in settings.kafka.model_fields_set:
        yield Servers(settings.kafka.bootstrap_servers, None, embedded=False, stay=True)
        return
    with local_errors(), _embedded(data_dir, keep=keep) as servers:
        yield servers


@contextmanager
def _embedded(data_dir: Path, *, keep: bool) -> Iterator[Servers]:
    stack = local_stack(data_dir)
    status = stack.status()
    started = time.monotonic()
    # A stack that ends with another process is not ours to lean on.
    lasting = status is not None and status.healthy and status.owner_pid is None
    if lasting or keep:
        status = stack.up()
        _announce(started, status.bootstrap_servers, status.redis_url)
        yield Servers(status.bootstrap_servers, status.redis_url, embedded=True, stay=True)
        return
    with stack:
        _announce(started, stack.bootstrap_servers, stack.redis_url)
        yield Servers(stack.bootstrap_servers, stack.redis_url, embedded=True, stay=False)


def _announce(started: float, kafka: str, redis: str) -> None:
    seconds = time.monotonic() - started
    out.print(f"Kafka on {kafka} and Redis on {redis} after {seconds:.1f} s", style="dim")


def _settings(servers: Servers) -> Settings:
    prefix = f"demo-{datetime.now():%Y%m%d-%H%M%S}"  # noqa: DTZ005 - a name for people, here
    sections: dict[str, Any] = {
        "worker": {"group": f"{prefix}-worker"},
        "topics": {"incoming": ""},  # a demo writes to no topic of yours
    }
    if servers.redis_url is not None:
        sections["cache"] = {"url": servers.redis_url, "timeout": _CACHE_SECONDS}
    return settings_from(servers.bootstrap_servers, prefix, **sections)


def _remembering(reviews: Iterable[Review], first: list[Review]) -> Iterator[Review]:
    """Pass reviews on, and keep the first ones: standard input cannot be read again."""
    for review in reviews:
        if len(first) < _SHOWN_REVIEWS:
            first.append(review)
        yield review


async def _run(
    settings: Settings, servers: Servers, reviews: Iterable[Review], folder: Path
) -> DemoReport:
    from stream.demo.run import Demo

    if servers.embedded:
        await _delete_former(settings)
    return await Demo(settings, folder, out).run(reviews)


def _go_on(settings: Settings, reviews: list[Review], folder: Path) -> None:
    from stream.logs import configure_logs

    # Alerts and troubles; what goes well is on the page.
    configure_logs(
        settings.log.model_copy(update={"level": "error"}), settings.privacy.redact_kinds
    )
    note("")
    note("reviews go on arriving, four a second; [bold]Ctrl-C[/bold] ends this")
    interruptible(_serve_page(settings, folder, reviews))


async def _serve_page(settings: Settings, folder: Path, reviews: list[Review]) -> None:
    from stream.cli.signals import StopSignals
    from stream.demo.live import go_on

    shown = False

    def show(link: str) -> None:
        nonlocal shown
        note(f"open once: [bold]{link}[/bold]")
        if not shown and _has_desktop():
            webbrowser.open(link)
        shown = True

    any_port = settings.monitor.model_copy(update={"port": 0})
    settings = settings.model_copy(update={"monitor": any_port})
    await go_on(settings, folder, reviews, show, StopSignals().stop)


def _has_desktop() -> bool:
    """Return whether a browser can be opened that is no program for this very terminal."""
    screens = os.environ.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}
    return sys.stdout.isatty() and (bool(screens) or sys.platform in {"darwin", "win32"})


async def _delete_former(settings: Settings) -> None:
    from stream.errors import BrokerError
    from stream.kafka.topic_creation import delete_topics
    from stream.kafka.topics import list_topics

    with contextlib.suppress(BrokerError):  # tidying up is not what the demo is for
        topics = await list_topics(settings.kafka)
        await delete_topics(settings, filter(_FORMER_RUN.match, topics))


def _print_whereabouts(settings: Settings, servers: Servers, data_dir: Path) -> None:
    prefix = settings.topics.prefix
    out.print()
    out.print(f"results      {data_dir / 'results.jsonl'}", markup=False)
    out.print(f"worker's log {data_dir / 'worker.log'}", markup=False)
    port = settings.http.port
    out.print(f"metrics      http://127.0.0.1:{port}/metrics of `reviews work`", markup=False)
    out.print(f"topics       {prefix}.incoming, {prefix}.category.<slug>, …", markup=False)
    out.print()
    server = f" -b {servers.bootstrap_servers}" if servers.embedded else ""
    some = active_taxonomy().slugs[0]
    if servers.stay:
        note(
            f"next: [bold]reviews monitor -p {prefix}{server}[/bold] shows this run on a live page"
        )
        note(f"      [bold]reviews consume {some} --drain -p {prefix}{server}[/bold]")
        if servers.embedded:
            note("      [bold]reviews down[/bold] when you are done")
    else:
        err.print("everything is stopped again; the data stay.", style="dim")
        note("next: [bold]reviews demo --input FILE[/bold] sends reviews of your own through")
        note(
            f"      [bold]reviews up[/bold], then [bold]reviews consume {some} --drain -p {prefix}[/bold]"
        )
