"""`reviews relabel-auto`: the cascade over the reviews that the model is unsure of."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import note
from stream.cli.interruption import exit_as_stopped
from stream.cli.options import Prefix, Servers, settings_from
from stream.cli.signals import StopSignals, interruptible

if TYPE_CHECKING:
    from collections import Counter

    from stream.settings import Settings


def relabel_auto(
    servers: Servers = None,
    prefix: Prefix = None,
    ensemble: Annotated[
        Path | None,
        typer.Option(help="Fitted by `reviews label`; else REVIEWS_LABEL__ENSEMBLE."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of health and metrics; 0: any.", show_default=False
        ),
    ] = None,
) -> None:
    """Decide unsure reviews by the fitted ensemble until stopped; people get the rest.

    Start more of them to share the load. SIGTERM or Ctrl-C finish what is in flight first.
    """
    from stream.logs import configure_logs

    label: dict[str, object] = {} if ensemble is None else {"ensemble": ensemble}
    if port is not None:
        label["http_port"] = port
    settings = settings_from(servers, prefix, label=label)
    configure_logs(settings.log, settings.privacy.redact_kinds)
    _tell_ensemble(settings)
    outcomes, stopped_by = interruptible(_relabel(settings))
    decided = outcomes["ensemble"] + outcomes["llm"]
    note(f"{decided:,} reviews decided, {outcomes['people']:,} left to people")
    note("next: `reviews queue` shows people the rest")
    exit_as_stopped(stopped_by)


def _tell_ensemble(settings: Settings) -> None:
    """Say by which ensemble will be decided.

    Raises:
        DataError: there is none.
    """
    from rich.markup import escape

    from training.labelling.saved import load_ensemble

    path = settings.label.ensemble
    ensemble = load_ensemble(path)
    note(escape(f"ensemble {ensemble.version} of {path}: {ensemble.fitted}"))


async def _relabel(settings: Settings) -> tuple[Counter[str], signal.Signals | None]:
    from training.relabeller import run_relabeller

    signals = StopSignals()
    outcomes = await run_relabeller(settings, signals.stop)
    return outcomes, signals.first
