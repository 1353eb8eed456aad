"""Options that several commands share, and the settings that they lead to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stream.settings import Settings

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers",
        "-b",
        metavar="HOST:PORT",
        help="Kafka to connect to; else REVIEWS_KAFKA__BOOTSTRAP_SERVERS.",
        show_default=False,
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        "-p",
        help="Prefix of all topics; else REVIEWS_TOPICS__PREFIX.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def moment_from(said: str | None) -> datetime | None:
    """Return the time that somebody wrote, in any form that means one; UTC unless it says.

    Raises:
        BadParameter: it is none.
    """
    from schemas import read_date

    if said is None:
        return None
    if (moment := read_date(said)) is None:
        raise typer.BadParameter(f"{said!r} is no time: write 2026-11-27T10:15")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def settings_from(servers: str | None, prefix: str | None, **sections: Any) -> Settings:
    """Return the settings in force, a command's options first.

    Raises:
        ConfigError: a setting is wrong.
    """
    import sys

    import structlog

    from stream.settings import load_settings

    # Standard output is for data alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if servers is not None:
        sections["kafka"] = {"bootstrap_servers": servers, **sections.get("kafka", {})}
    if prefix is not None:
        sections["topics"] = {"prefix": prefix, **sections.get("topics", {})}
    return load_settings(**sections)
