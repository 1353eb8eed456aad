"""Seals of the queue's records: Redis keeps them, and nobody who writes there alone can make one.

What people are asked and what is published in their names is read from Redis: the questions, the
decisions that hold, the opinions, what can be undone. Each is kept behind a seal that names its
kind, its queue and its review (an undo entry: its person), with a key that is not in Redis.

A seal tells who wrote a record, not when: an older one, put back in its own place, is taken for the
newest. ``deploy/docs/threat-model.md`` says what follows from that.
"""

from __future__ import annotations

from typing import Final, Literal

from schemas import TopicNames
from stream.seal import SEAL_BYTES, Seal, joined

SealedKind = Literal["task", "label", "judgement", "undo"]

SEAL_LETTERS: Final = 2 * SEAL_BYTES
"""Of a record, the first letters are its seal in hexadecimal. ``common.lua`` knows this number."""
# Another number, another key: what an older release has filed is restored from Kafka.
_PURPOSE: Final = b"queue records v2"


class Forged(Exception):
    """A record that none of us wrote, or not for this place.

    Args:
        kind: what it was to be.
        owner: the review, or the person, whose record it was to be.
    """

    def __init__(self, kind: str, owner: str) -> None:
        super().__init__(f"{kind} of {owner!r}")
        self.kind = kind
        self.owner = owner


class RecordSeal:
    """Seals the records of one queue.

    Args:
        secret: the queue's; all servers of a queue have the same one.
        topics: names the queue.
    """

    def __init__(self, secret: str, topics: TopicNames) -> None:
        self._seal = Seal(secret, _PURPOSE)
        self._queue = topics.prefix
        self.key_id = self._seal.key_id
        """Names the key and tells nothing of it: 8 hex digits."""

    def close(self, kind: SealedKind, owner: str, record: str) -> str:
        """Return a record as Redis keeps it."""
        return self._seal.of(self._bound(kind, owner, record)).hex() + record

    def open(self, kind: SealedKind, owner: str, kept: str | None) -> str:
        """Return the record that :meth:`close` was given.

        Raises:
            Forged: nobody who has the key wrote this here, or there is nothing.
        """
        kept = kept or ""
        seal, record = kept[:SEAL_LETTERS], kept[SEAL_LETTERS:]
        try:
            holds = self._seal.holds(bytes.fromhex(seal), self._bound(kind, owner, record))
        except ValueError:
            holds = False
        if not holds:
            raise Forged(kind, owner)
        return record

    def _bound(self, kind: SealedKind, owner: str, record: str) -> bytes:
        return joined(kind, self._queue, owner, record)
