"""How large messages and batches may be, as far as brokers have refused larger ones.

A broker limits what a topic takes (``max.message.bytes``), and a worker has no right to ask by how
much. It finds out: what was refused is never sent again as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stream.errors import BrokerError

# Batch header, and the most that a record adds to its key, value and headers.
_BATCH_OVERHEAD: Final = 61 + 21
_HEADER_OVERHEAD: Final = 10
# What a dead letter takes at least, of which hardly more than the reason is left: names of topic, group and
# worker, and a few words. A topic must take this much.
LEAST_BYTES: Final = 2 * 1024
_MESSAGE_TOO_LARGE: Final = 10
_RECORD_LIST_TOO_LARGE: Final = 18
TOO_LARGE_CODES: Final = frozenset({_MESSAGE_TOO_LARGE, _RECORD_LIST_TOO_LARGE})


class RecordsTooLarge(Exception):
    """A broker refused a batch for its size. Sending it again would not help.

    Args:
        topic: that it was for.
        size: its bytes before compression.
        count: of its records.
    """

    def __init__(self, topic: str, size: int, count: int) -> None:
        super().__init__(f"{topic} does not take a batch of {size:,} bytes, {count} records")
        self.topic = topic
        self.size = size
        self.count = count


class SizeLimits:
    """What topics took, learned from what they refused; for as long as a process runs."""

    def __init__(self) -> None:
        self._message: dict[str, int] = {}
        self._batch: dict[str, int] = {}

    def allows(self, topic: str, size: int) -> bool:
        """Tell whether nothing speaks against a message of this size (:func:`message_bytes`)."""
        return size <= self._message.get(topic, size)

    def batch_bytes(self, topic: str, otherwise: int) -> int:
        """Return how large a batch for a topic may be, or what is given if that is less."""
        return min(otherwise, self._batch.get(topic, otherwise))

    def refused(self, error: RecordsTooLarge) -> None:
        """Learn from a refusal.

        Raises:
            BrokerError: the topic takes next to nothing; no message of ours would fit.
        """
        if error.count > 1:
            # Nobody knows which is too large, or whether only all of them are.
            self._batch[error.topic] = error.size // 2
            return
        if error.size <= LEAST_BYTES:
            raise BrokerError(
                f"{error.topic} takes no message of {error.size:,} bytes",
                f"raise its max.message.bytes to {2 * LEAST_BYTES:,} or more",
            )
        most = min(error.size - 1, self._message.get(error.topic, error.size))
        self._message[error.topic] = most
        self._batch[error.topic] = min(most, self._batch.get(error.topic, most))


def message_bytes(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> int:
    """Return at most how many bytes a batch of this one message takes, not compressed."""
    size = _BATCH_OVERHEAD + len(key or b"") + len(value or b"")
    for name, content in headers:
        # A character takes up to four bytes.
        length = len(name) if name.isascii() else len(name.encode("utf-8", "replace"))
        size += length + len(content or b"") + _HEADER_OVERHEAD
    return size
