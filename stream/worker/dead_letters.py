"""Dead letters: the original as it was, or what can be told of one that is too large for that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas import Cut, DeadLetterReason, Headers, SourcePosition, without_dead_letter
from schemas.topics import DEAD_LETTER_MAX_BYTES
from stream.exactly_once.input_record import InputRecord
from stream.exactly_once.message import Message
from stream.kafka.reading import HEAD_BYTES, Unreadable, unreadable_in
from stream.kafka.size_limits import SizeLimits, message_bytes
from stream.privacy import Kind, redact, redacted_message

# A whole original, its key and its headers; the rest of what the topic takes is for the reason.
WHOLE_BYTES: Final = DEAD_LETTER_MAX_BYTES - 64 * 1024
# Of a topic that refused a letter, half of what it refused is kept whole: every further refusal costs a
# transaction and its repetition, and so there are few.
_MARGIN: Final = 2
# Of an original for a topic that does not take a KiB of it: bytes of its value, and of its key.
_LEAST_HEAD: Final = ((256, 256), (0, 64))
_LEAST_MESSAGE: Final = 100


class Rejection(NamedTuple):
    """Why an event goes to the dead-letter topic: a stable code, and a sentence."""

    code: str
    message: str


def too_large_for(topic: str, size: int) -> Rejection:
    """Return why a message that its topic does not take is a dead letter."""
    return Rejection("too-large-for-topic", f"{topic} does not take the {size:,} bytes of it")


def source_of(record: InputRecord) -> SourcePosition:
    """Return where an input record stands on its topic."""
    tp = record.owner.tp
    return SourcePosition.model_construct(
        topic=tp.topic, partition=tp.partition, offset=record.first_offset
    )


@dataclass(frozen=True, slots=True)
class DeadLetterMaker:
    """Makes dead letters.

    Args:
        topic: where they go.
        group: that refuses messages.
        worker: its member.
        redacted: kinds of personal data that are masked.
        limits: of the topic.
    """

    topic: str
    group: str
    worker: str
    redacted: Sequence[Kind]
    limits: SizeLimits

    def message(self, record: InputRecord, rejection: Rejection) -> Message:
        """Return the dead letter of an input record.

        Args:
            record: that is refused.
            rejection: why.
        """
        fields = self.fields(record.record, source_of(record), rejection.code, rejection.message)
        return Message(self.topic, *fields)

    def fields(
        self, record: Any, source: SourcePosition, code: str, message: str
    ) -> tuple[bytes | None, bytes | None, Headers]:
        """Return key, value and headers of a dead letter.

        Args:
            record: the original, or what stands for it.
            source: where it stands.
            code: of what is wrong; stable.
            message: what is wrong.
        """
        if (unreadable := unreadable_in(record)) is not None:
            return self._cut(record, source, code, message, cut_of(unreadable), unreadable.head)
        value = redacted_message(record.value, self.redacted) if self.redacted else record.value
        headers = [
            *without_dead_letter(record.headers),
            *self._reason(record, source, code, message, None).headers(),
        ]
        size = message_bytes(record.key, value, headers)
        if size <= WHOLE_BYTES and self.limits.allows(self.topic, _MARGIN * size):
            return record.key, value, headers
        head = (record.value or b"")[:HEAD_BYTES]
        return self._cut(record, source, code, message, _measured(record), head)

    def _cut(
        self,
        record: Any,
        source: SourcePosition,
        code: str,
        message: str,
        cut: Cut,
        head: bytes,
    ) -> tuple[bytes | None, bytes | None, Headers]:
        if unreadable_in(record) is not None or cut.header_bytes > HEAD_BYTES:
            kept: Headers = []
        else:
            kept = without_dead_letter(record.headers)
        headers = [*kept, *self._reason(record, source, code, message, cut).headers()]
        redacted = redacted_message(head, self.redacted) if self.redacted else head
        value = None if cut.value_bytes is None else redacted
        key = None if record.key is None else record.key[:HEAD_BYTES]
        for most_value, most_key in _LEAST_HEAD:
            if self.limits.allows(self.topic, message_bytes(key, value, headers)):
                break
            short = message[:_LEAST_MESSAGE]
            headers = self._reason(record, source, code, short, cut).headers()
            key = key and key[:most_key]
            value = value and value[:most_value]
        return key, value, headers

    def _reason(
        self, record: Any, source: SourcePosition, code: str, message: str, cut: Cut | None
    ) -> DeadLetterReason:
        return DeadLetterReason(
            code=code,
            message=redact(message, self.redacted) if self.redacted else message,
            source=source,
            timestamp_ms=record.timestamp,
            group=self.group,
            worker=self.worker,
            cut=cut,
        )


def cut_of(unreadable: Unreadable) -> Cut:
    """Return what a dead letter says of records that could not be given as they are."""
    several = unreadable.last_offset != unreadable.first_offset
    return Cut(
        unreadable.value_bytes,
        unreadable.sha256,
        unreadable.key_bytes,
        unreadable.header_bytes,
        unreadable.last_offset if several else None,
    )


def _measured(record: Any) -> Cut:
    return Cut(
        None if record.value is None else len(record.value),
        "" if record.value is None else hashlib.sha256(record.value).hexdigest(),
        None if record.key is None else len(record.key),
        _header_bytes(record.headers),
    )


def _header_bytes(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode("utf-8", "replace")) + len(value or b"") for name, value in headers)
