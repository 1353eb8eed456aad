"""`reviews monitor`: what the pipeline does, live."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stream.cli.console import note
from stream.cli.interruption import exit_as_stopped
from stream.cli.options import Prefix, Servers, settings_from
from stream.cli.signals import StopSignals, interruptible

if TYPE_CHECKING:
    from stream.settings import Settings

# What bounds its own end adds up to less; this is for what none of us has thought of.
_END_SECONDS: Final = 14.0


def monitor(
    servers: Servers = None,
    prefix: Prefix = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the page; 0: any.", show_default=False),
    ] = None,
) -> None:
    """Watch the pipeline: live page, windowed statistics, drift, alerts.

    Reads the workers' summaries, publishes windows to <prefix>.stats and keeps its state on Kafka:
    stopped and started again, it goes on where it was. The page's link is printed; it opens once.
    """
    from stream.logs import configure_logs

    sections: dict[str, Any] = {"monitor": {"port": port}} if port is not None else {}
    settings = settings_from(servers, prefix, **sections)
    configure_logs(settings.log, settings.privacy.redact_kinds)
    exit_as_stopped(interruptible(_monitor(settings)))


async def _monitor(settings: Settings) -> signal.Signals | None:
    from stream.monitor.service import Monitor

    signals = StopSignals(ends_within=_END_SECONDS)
    watcher = Monitor(settings, on_link=print_link)
    if settings.monitor.token is not None:
        note("the page asks for the token of REVIEWS_MONITOR__TOKEN")
    await watcher.run(signals.stop)
    return signals.first


def print_link(link: str) -> None:
    """Show a link for people; another one comes when it was used."""
    note(f"open once: [bold]{link}[/bold]")
