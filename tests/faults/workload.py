"""Events with known outcomes, for the tiny model of ``tests.support``."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Final

from schemas import all_categories, category_count
from tests.faults.ledger import DELETED, Sent
from tests.faults.schema_registry import ABSENT, written
from tests.support.tiny_model import KEYWORDS

POISON_TEXT: Final = "сапоги чайник сапоги чайник сапоги"
"""Makes the fault doubles' inference raise (see :mod:`tests.faults.doubles`)."""
UID_HEADER: Final = "uid"
# Few keys, so that each has many events under way and a change of order would show.
_KEYS: Final = 200
# Words that the tiny model does not know. With the keywords they make 12,600 texts: in a scenario
# of 10,000 reviews some are answered by the cache and most by the model.
# So many events have one schema: the next one's is not known yet, and must be asked for.
_EVENTS_A_SCHEMA: Final = 40
_FILLERS: Final = ("хорошо", "плохо", "быстро", "долго", "дорого", "красиво", "странно")
_TEXTS: Final = 200


@dataclass(frozen=True, slots=True)
class Event:
    """A message for the input topic, and what must become of it."""

    sent: Sent
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the special events; the rest is sure of its category."""

    unsure: float = 0.08
    malformed: float = 0.04
    poison: float = 0.0
    registered: float = 0.0
    """Of the reviews, how many are in Avro behind the id of a registered schema."""


class Workload:
    """Makes events with unique ids; all events of a key have one category.

    Args:
        name: part of every id.
        seed: of the random choices.
        mix: what the events are.
    """

    def __init__(self, name: str, seed: int, mix: Mix | None = None) -> None:
        self._name = name
        self._random = random.Random(seed)
        self._mix = mix or Mix()
        self._malformed = _MALFORMED + (_UNREADABLE if self._mix.registered else ())
        self._numbers: Counter[str] = Counter()
        self._count = 0

    def next(self) -> Event:
        """Return the next event."""
        self._count += 1
        uid = f"{self._name}-{self._count}"
        key = f"k{self._random.randrange(_KEYS)}"
        self._numbers[key] += 1
        number = self._numbers[key]
        draw = self._random.random() - self._mix.malformed
        if draw < 0:
            value, route = self._random.choice(self._malformed)
        elif draw < self._mix.poison:
            value, route = self._review(uid, key, POISON_TEXT), "dead-letter:inference-failed"
        elif draw < self._mix.poison + self._mix.unsure:
            value, route = self._review(uid, key, self._filler()), "relabel"
        else:
            category = zlib.crc32(key.encode()) % category_count()
            value = self._review(uid, key, f"{KEYWORDS[category]} {self._filler()}")
            route = f"category:{all_categories()[category].slug}"
        headers = [(UID_HEADER, uid.encode())]
        return Event(Sent(uid, key, number, route), key.encode(), value, headers)

    def _filler(self) -> str:
        return f"{self._random.choice(_FILLERS)} {self._random.randrange(_TEXTS)}"

    def _review(self, uid: str, key: str, text: str) -> bytes:
        review = {"review_id": key, "text": text, "metadata": {"uid": uid}}
        if self._random.random() < self._mix.registered:
            return written(1 + self._count // _EVENTS_A_SCHEMA, review)
        return json.dumps(review, ensure_ascii=False).encode()


_MALFORMED: Final[tuple[tuple[bytes | None, str], ...]] = (
    (None, DELETED),
    (b"{", "dead-letter:not-json"),
    (b'{"review_id":"\xff"}', "dead-letter:not-json"),
    (b'{"review_id":"x"}', "dead-letter:wrong-shape"),
    (b'{"review_id":"x","text":" "}', "dead-letter:wrong-shape"),
    (b'{"schema_version":99,"review_id":"x","text":"y"}', "dead-letter:unknown-schema-version"),
)

_UNREADABLE: Final[tuple[tuple[bytes | None, str], ...]] = (
    (b"\0\0\0\0\x01\xff", "dead-letter:other-format"),
    (written(ABSENT, {"review_id": "x", "text": "y", "metadata": {}}), "dead-letter:other-format"),
    (written(1, {"review_id": "x", "text": " ", "metadata": {}}), "dead-letter:wrong-shape"),
)
"""What is malformed of reviews with schemas."""
