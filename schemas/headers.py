"""Message headers: CloudEvents in binary mode, and what a dead letter says of itself.

Sources: CloudEvents Kafka protocol binding 1.0.2 (attributes as ``ce_*`` headers, the value is the
bare payload); Kafka Connect's dead-letter queue and KIP-1034 for what a dead letter should carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from schemas.events import SCHEMA_VERSION, Event, SourcePosition

Headers = list[tuple[str, bytes]]

SOURCE: Final = "/reviews-stream"
TYPE_PREFIX: Final = "dev.reviews-stream"


def cloud_event(
    event_type: type[Event], event_id: str, subject: str, time: datetime, source: str = SOURCE
) -> Headers:
    """Return CloudEvents 1.0 headers for an event of ours.

    Args:
        event_type: class of the payload.
        event_id: unique for one source; ours is derived from the input's position, so that a
            reader behind an at-least-once mirror can still drop repetitions.
        subject: the review's id, or what else the event is about.
        time: when the event happened.
        source: who published it, a URI reference.
    """
    name = event_type.__name__
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", f"{TYPE_PREFIX}.{name}.v{SCHEMA_VERSION}".encode()),
        ("ce_subject", plain(subject.encode("utf-8", "replace"))),
        ("ce_time", time.isoformat().encode()),
        ("ce_dataschema", f"urn:reviews-stream:{name}:{SCHEMA_VERSION}".encode()),
        ("content-type", b"application/json"),
    ]


# What CloudEvents allows in no attribute, and W3C in no trace state. A bridge that makes HTTP's headers of
# Kafka's would let a line break in an id add headers of its own.
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]")


def plain(value: bytes) -> bytes:
    """Return a header's value with control characters percent-encoded."""
    return _CONTROL.sub(lambda found: quote(found[0]).encode(), value)


# W3C Trace Context: the hop that the message is on. With ``ce_``, CloudEvents' distributed tracing
# extension 1.0: where the event began. Ours are the same, since nothing of ours changes them.
TRACEPARENT: Final = "traceparent"
TRACE_HEADERS: Final = frozenset((TRACEPARENT, "tracestate", f"ce_{TRACEPARENT}", "ce_tracestate"))
# version, trace id, parent span id, flags; all zeroes are no id (Trace Context 3.2.2).
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


class TraceContext(NamedTuple):
    """The span that a message was sent in."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    sampled: bool


def trace_headers(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """Return what an output inherits of its input, so that both are seen as one trace."""
    return [
        header
        for header in headers
        if header[0] in TRACE_HEADERS and not (header[1] and _CONTROL.search(header[1]))
    ]


def trace_context(headers: Iterable[tuple[str, bytes]]) -> TraceContext | None:
    """Return the span that a message was sent in; None where it names none, or a malformed one."""
    for name, value in headers:
        if name == TRACEPARENT:
            found = _TRACEPARENT.fullmatch(value or b"")
            if found is None:
                return None
            trace_id, span_id, flags = (part.decode() for part in found.groups())
            return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))
    return None


DEAD_LETTER_PREFIX: Final = "dlq."


@dataclass(frozen=True, slots=True)
class Cut:
    """What an original was of which a dead letter holds the beginning only.

    Of one that could be read, key and value are cut to their first KiB, and headers left out if
    they are longer. Of a record batch that could not, the value is the batch as the broker stores it.
    """

    value_bytes: int | None
    """None: it had no value."""
    sha256: str
    """Of the whole value, in hexadecimal digits; empty: there was none, or it was not all seen."""
    key_bytes: int | None = None
    header_bytes: int = 0
    """Names and values of all headers."""
    last_offset: int | None = None
    """The dead letter stands for all offsets from ``source`` to this one; None: for one."""

    def fields(self) -> dict[str, str]:
        """Return what goes into headers, by name."""
        found = {
            "original.value-bytes": self.value_bytes,
            "original.sha256": self.sha256,
            "original.key-bytes": self.key_bytes,
            "original.header-bytes": self.header_bytes,
            "source.last-offset": self.last_offset,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Cut | None:
        """Return what headers say; None: the dead letter is whole."""
        if "original.header-bytes" not in fields:
            return None

        def number(name: str) -> int | None:
            return int(fields[name]) if name in fields else None

        return cls(
            number("original.value-bytes"),
            fields["original.sha256"],
            number("original.key-bytes"),
            int(fields["original.header-bytes"]),
            number("source.last-offset"),
        )


@dataclass(frozen=True, slots=True)
class DeadLetterReason:
    """Why a message could not be processed, and where it came from."""

    code: str
    message: str
    source: SourcePosition
    timestamp_ms: int
    group: str
    worker: str
    cut: Cut | None = None
    """None: the dead letter holds the original as it was."""

    def headers(self) -> Headers:
        """Return the headers that a dead letter carries beside the original ones."""
        fields = {
            "error.code": self.code,
            # A header is for people and alerts: 500 characters say enough.
            "error.message": self.message[:500],
            "source.topic": self.source.topic,
            "source.partition": str(self.source.partition),
            "source.offset": str(self.source.offset),
            "source.timestamp": str(self.timestamp_ms),
            "group": self.group,
            "worker": self.worker,
            **(self.cut.fields() if self.cut is not None else {}),
        }
        return [
            (DEAD_LETTER_PREFIX + name, plain(value.encode("utf-8", "replace")))
            for name, value in fields.items()
        ]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes]]) -> DeadLetterReason:
        """Read the reason back from a dead letter's headers.

        Raises:
            KeyError: a header is absent: the message is no dead letter of ours.
        """
        found = {
            name.removeprefix(DEAD_LETTER_PREFIX): value.decode("utf-8", "replace")
            for name, value in headers
            # Kafka allows a header without a value; ours have one.
            if name.startswith(DEAD_LETTER_PREFIX) and value is not None
        }
        return cls(
            code=found["error.code"],
            message=found["error.message"],
            source=SourcePosition(
                topic=found["source.topic"],
                partition=int(found["source.partition"]),
                offset=int(found["source.offset"]),
            ),
            timestamp_ms=int(found["source.timestamp"]),
            group=found["group"],
            worker=found["worker"],
            cut=Cut.from_fields(found),
        )


def without_dead_letter(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """Return the headers that the original message had, for a replay."""
    return [(name, value) for name, value in headers if not name.startswith(DEAD_LETTER_PREFIX)]
