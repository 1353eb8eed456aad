"""Structured logs on standard error. A review's text is never logged."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from stream.credentials import hide_accounts
from stream.privacy import ALWAYS, Kind, redact
from stream.settings import LogSettings
from stream.terminal import visible

# A key or an error may hold megabytes: a line must cost nobody a second, nor fill a disk.
MAX_VALUE: Final = 2_000
"""Characters of one value that are logged; a traceback may have ten times as many."""
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 4

# As Python's errors name a server: ('127.0.0.1', 9092), with two more figures for IPv6. After "Connect
# call failed" its figures would be taken for a telephone number.
_SERVER: Final = re.compile(
    r"\('([0-9.]{7,15}|[0-9a-fA-F:]{2,39}(?:%\w{1,15})?)', ([0-9]{1,5})(?:, [0-9]+){0,2}\)"
)

Clean = Callable[[str], str]

# A client that has lost its broker says so at every attempt, some thousand times an hour.
_REPEATING: Final = ("aiokafka", "kafka", "faust")
SILENT_SECONDS: Final = 60.0
"""What one of these libraries has said is not said again for so long; then, how often it was."""
_MOST_KINDS: Final = 500


def configure_logs(log: LogSettings, kinds: Iterable[Kind] = ALWAYS) -> None:
    """Send structlog and the standard library's logging to standard error in one format.

    Args:
        log: level, format, and whether personal data is masked.
        kinds: of personal data that are masked.
    """
    as_json = log.format == "json" or (log.format == "auto" and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _cleaner(frozenset(kinds) if log.redact else frozenset()),
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
    handler.addFilter(SeldomRepeated())
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries speak when something is wrong; their chatter would bury our own lines.
    root.setLevel(max(level, logging.WARNING))


class LibraryLines:
    """Whether lines of libraries that repeat themselves are left out, because we say it ourselves."""

    held = False


library_lines: Final = LibraryLines()


class SeldomRepeated(logging.Filter):
    """Lets one line a minute of each kind through, of libraries that repeat themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be shown; one that is tells how many like it were not."""
        if record.name.partition(".")[0] not in _REPEATING:
            return True
        if library_lines.held:
            return False
        # The text before its values are put in: the same for all that say the same of other partitions.
        kind = (record.name, str(record.msg))
        since, left_out = self._said.get(kind, (-SILENT_SECONDS, 0))
        if record.created - since < SILENT_SECONDS:
            self._said[kind] = (since, left_out + 1)
            return False
        if len(self._said) >= _MOST_KINDS:
            self._said.clear()
        self._said[kind] = (record.created, 0)
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out:,} more like it)"
            record.args = ()
        return True


def _cleaner(kinds: frozenset[Kind]) -> Callable[[Any, str, dict[str, Any]], dict[str, Any]]:
    """Return the step that makes every value of a log line short, visible and, if asked, masked."""

    def clean(text: str, limit: int = MAX_VALUE) -> str:
        cut = text[:limit]
        masked = hide_accounts(_masked(cut, kinds) if kinds else cut)
        shown = visible(masked, one_line=limit == MAX_VALUE)
        rest = len(text) - limit
        return f"{shown}… ({rest:,} more characters)" if rest > 0 else shown

    def step(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        return {
            key: value
            if key.startswith("_")  # structlog's own, taken out before the line is written
            else clean(value, 10 * MAX_VALUE)
            if key == "exception" and isinstance(value, str)
            else _cleaned(value, clean)
            for key, value in event.items()
        }

    return step


def _masked(text: str, kinds: frozenset[Kind]) -> str:
    """Mask what is personal in a text; a server's address is not."""
    parts, last = [], 0
    for server in _SERVER.finditer(text):
        host, port = server.groups()
        named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        parts += [redact(text[last : server.start()], kinds), named]
        last = server.end()
    return "".join([*parts, redact(text[last:], kinds)])


def _cleaned(value: Any, clean: Clean, depth: int = 0) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return clean(value)
        case bytes():
            return clean(value[: 2 * MAX_VALUE].decode("utf-8", "replace"))
        case Mapping() if depth < _MAX_DEPTH:
            items = list(value.items())[:_MAX_ITEMS]
            return {clean(str(k)): _cleaned(v, clean, depth + 1) for k, v in items}
        case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
            return [_cleaned(item, clean, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        case _:
            return clean(repr(value))
