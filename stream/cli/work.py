"""`reviews work`: one worker, in the foreground."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import structlog
import typer

from stream.cli.interruption import exit_as_stopped
from stream.cli.options import Prefix, Servers, settings_from
from stream.cli.signals import StopSignals, interruptible

if TYPE_CHECKING:
    from stream.settings import Settings

# After the drain. What bounds its own end adds up to less than ten; this is for what does not, as a thread
# that asks for an address and gets no answer, and for what none of us has thought of.
_END_SECONDS: Final = 15.0

_log = structlog.get_logger(__name__)


def work(
    servers: Servers = None,
    prefix: Prefix = None,
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of health and metrics; 0: any.", show_default=False
        ),
    ] = None,
    stop_at_eof: Annotated[
        bool,
        typer.Option(
            "--stop-at-eof",
            help="Also stop when standard input ends: a worker that never outlives its parent.",
        ),
    ] = False,
) -> None:
    """Classify reviews until stopped: SIGTERM or Ctrl-C finish what is in flight first.

    Start more of them to share the load: partitions are spread over all workers of the group.
    """
    from stream.logs import configure_logs

    sections: dict[str, dict[str, object]] = {}
    if model is not None:
        sections["model"] = {"folder": model}
    if port is not None:
        sections["http"] = {"port": port}
    settings = settings_from(servers, prefix, **sections)
    configure_logs(settings.log, settings.privacy.redact_kinds)
    exit_as_stopped(interruptible(_work(settings, stop_at_eof=stop_at_eof)))


class _StopAtEof(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, _: Exception | None) -> None:
        self._stop.set()


async def _work(settings: Settings, *, stop_at_eof: bool) -> signal.Signals | None:
    from stream.worker.app import run_worker

    def on_first(number: signal.Signals) -> None:
        _log.info("worker_stopping", signal=number.name)

    ends_within = settings.worker.drain_timeout + _END_SECONDS
    signals = StopSignals(ends_within=ends_within, on_first=on_first)
    if stop_at_eof:
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: _StopAtEof(signals.stop), sys.stdin)
    await run_worker(settings, stop=signals.stop)
    return signals.first
