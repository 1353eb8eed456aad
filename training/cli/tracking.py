"""Where a command's records go: `--track`, else the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from stream.cli.console import note
from stream.cli.options import settings_from
from stream.terminal import one_line

if TYPE_CHECKING:
    from training.tracking.tracker import Tracker


def tracker_of(track: str | None) -> Tracker:
    """Return what keeps a command's records; nothing does where no address is given or set.

    Args:
        track: the address on the command line.

    Raises:
        ConfigError: a setting is wrong, or MLflow's client cannot write to the address.
        ExtraMissing: MLflow's client is not installed.
    """
    from training.tracking import open_tracker

    given = {} if track is None else {"tracking": {"uri": track}}
    settings = settings_from(None, None, **given)
    return open_tracker(settings.tracking, lambda line: note(escape(one_line(line))))
