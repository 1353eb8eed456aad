"""Structured logs on standard error. A review's text is never logged."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from stream.privacy import redact
from stream.settings import LogSettings


def configure_logs(log: LogSettings) -> None:
    """Send structlog and the standard library's logging to standard error in one format."""
    as_json = log.format == "json" or (log.format == "auto" and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        *([_redacted] if log.redact else []),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak when something is wrong; their chatter would bury our own lines.
    root.setLevel(max(level, logging.WARNING))


def _redacted(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask personal data that a library's or a broker's words may carry."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}
