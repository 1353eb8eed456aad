"""Where a review stands on Kafka: every record about it, and the texts that it ever had."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition

from schemas import ContractError, IncomingReader, Review, TopicNames, looks_like_json
from stream.kafka.read_to_end import records_of
from stream.kafka.reading import moment_of
from stream.kafka.topics import list_topics, partitions_of, topic_configs
from stream.schema_registry import asking, incoming_reader
from stream.settings import Settings
from stream.text import normalize

# How often the command says how far the search is.
_TELL_EVERY: Final = 10_000


@dataclass(slots=True)
class TopicCopies:
    """Records about one review on one topic."""

    topic: str
    records: int = 0
    erased: int = 0
    """Of these, how many a tombstone follows already."""
    partitions: set[int] = field(default_factory=set)
    """Those with a record that no tombstone follows."""
    newest: datetime | None = None
    compacted: bool = False
    tombstoned: bool = False
    """An erasure writes a tombstone there."""
    without_text: bool = False
    """Its records name reviews, and hold nothing that was written in them."""
    retention: timedelta | None = None
    """How long the broker keeps records; None: for ever."""

    @property
    def kept_until(self) -> datetime | None:
        """When the newest record is old enough to be deleted; None: never, or nothing is there."""
        if self.compacted or self.retention is None or self.newest is None:
            return None
        return self.newest + self.retention


@dataclass(slots=True)
class Copies:
    """All that Kafka holds about one review."""

    topics: list[TopicCopies]
    texts: frozenset[str]
    """Normalised."""
    written: frozenset[str] = frozenset()
    """As they were written."""


def topics_with_reviews(present: set[str], names: TopicNames) -> list[str]:
    """Return the topics that name single reviews, those of backfills among them."""
    fixed = {names.incoming, names.labels, names.judgements} & present
    # Both layouts, whichever is set now: what was written in the other one stays until its retention.
    kinds = tuple(
        f"{names.prefix}.{kind}" for kind in ("category.", "categorized", "relabel", "dead-letter")
    )
    return sorted(fixed | {name for name in present if name.startswith(kinds)})


async def find_copies(
    settings: Settings,
    review_ids: Iterable[str],
    on_progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Copies]:
    """Read every topic that names reviews once, from its beginning to where it ends now.

    Args:
        settings: connection and topics.
        review_ids: whose records are looked for.
        on_progress: told from time to time how many records were read.

    Returns:
        What there is of each review, also where that is nothing.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        RegistryUnavailable: the schema registry does not answer: what it knows cannot be searched.
    """
    names = topics_with_reviews(await list_topics(settings.kafka), settings.topic_names)
    if not names:
        return {review_id: Copies([], frozenset()) for review_id in review_ids}
    configs = await topic_configs(settings.kafka, names)
    async with asking(settings.schema_registry) as schemas:
        # What came in may look otherwise than the contract says, and a dead letter is what came in.
        reader = _ReadOnce(incoming_reader(settings.incoming, schemas))
        searches = {
            review_id: _Search(review_id, settings.topic_names, reader, configs)
            for review_id in review_ids
        }
        read = 0
        partitions = await partitions_of(settings.kafka, *names)
        async with contextlib.aclosing(records_of(settings.kafka, partitions)) as records:
            async for record in records:
                if schemas is not None and _is_as_sent(record.topic, settings.topic_names):
                    await schemas.learn([record])
                for search in searches.values():
                    search.take(record)
                read += 1
                if read % _TELL_EVERY == 0:
                    on_progress(read)
    return {review_id: search.copies() for review_id, search in searches.items()}


def _is_as_sent(topic: str, names: TopicNames) -> bool:
    """Tell whether a topic holds what came in as it was: the incoming one, or dead letters."""
    return topic == names.incoming or topic.startswith(f"{names.prefix}.dead-letter")


class _ReadOnce:
    """Tells whose review a record is, and reads it once however many reviews are looked for."""

    def __init__(self, reader: IncomingReader) -> None:
        self._reader = reader
        self._record: ConsumerRecord | None = None
        self._named: str | None = None

    def named(self, record: ConsumerRecord) -> str | None:
        """Return the id in a record; None: it has none."""
        if record is not self._record:
            self._record = record
            self._named = self._reader.named(record.value, record.key)
        return self._named

    def review(self, record: ConsumerRecord) -> Review | None:
        """Return the review in a record; None: it deletes one.

        Raises:
            ContractError: it is none that a worker takes.
        """
        return self._reader.read(record.value, record.key)[0]


class _Search:
    def __init__(
        self,
        review_id: str,
        names: TopicNames,
        reader: _ReadOnce,
        configs: dict[str, dict[str, str]],
    ) -> None:
        self._id = review_id
        self._names = names
        self._reader = reader
        self._key = review_id.encode("utf-8", "surrogatepass")
        # A producer without keys, or with others, names the review in the value only.
        quoted = json.dumps(review_id)[1:-1].encode()
        raw = json.dumps(review_id, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
        self._spellings = {quoted, raw}
        self._configs = configs
        self._found: dict[str, TopicCopies] = {}
        self._open: dict[TopicPartition, int] = {}
        self._texts: set[str] = set()
        self._written: set[str] = set()

    def take(self, record: ConsumerRecord) -> None:
        tp = TopicPartition(record.topic, record.partition)
        if record.value is None:
            if record.key == self._key and (topic := self._found.get(record.topic)) is not None:
                topic.erased += self._open.pop(tp, 0)
            return
        review = self._review_in(record)
        if review is None:
            return
        topic = self._found.setdefault(record.topic, self._topic(record.topic))
        topic.records += 1
        at = moment_of(record.timestamp)
        topic.newest = max(topic.newest or at, at)
        self._open[tp] = self._open.get(tp, 0) + 1
        if isinstance(text := review.get("text"), str):
            self._texts.add(normalize(text))
            self._written.add(text)

    def _review_in(self, record: ConsumerRecord) -> dict[str, Any] | None:
        """Return what a record says of the review; None: it is not about it."""
        if _is_as_sent(record.topic, self._names):
            return self._sent(record)
        named = any(spelling in record.value for spelling in self._spellings)
        review = _review_of(record.value) if named or record.key == self._key else {}
        about = record.key == self._key or review.get("review_id") == self._id
        return review if about else None

    def _sent(self, record: ConsumerRecord) -> dict[str, Any] | None:
        """Read a record as a worker does; one that is no review is about it if its id is."""
        plain = looks_like_json(record.value)
        if plain and not self._may_name(record.value) and not self._may_name(record.key or b""):
            return None
        if self._reader.named(record) != self._id:
            return None
        try:
            review = self._reader.review(record)
        except ContractError:
            return _review_of(record.value)
        return {} if review is None else {"review_id": review.review_id, "text": review.text}

    def _may_name(self, part: bytes) -> bool:
        """Tell whether the id may be in a key or value: most are told without reading them.

        A nought is of another encoding, of a number, or of a schema registry; an id of other
        characters than letters and digits may be written in several ways.
        """
        plain = self._id.isascii() and self._id.isalnum()
        return not plain or self._key in part or b"\0" in part[:4]

    def copies(self) -> Copies:
        for tp in self._open:
            self._found[tp.topic].partitions.add(tp.partition)
        topics = [self._found[name] for name in sorted(self._found)]
        return Copies(topics, frozenset(self._texts), frozenset(self._written))

    def _topic(self, name: str) -> TopicCopies:
        config = self._configs.get(name, {})
        milliseconds = int(config.get("retention.ms", "-1"))
        return TopicCopies(
            name,
            compacted="compact" in config.get("cleanup.policy", "delete"),
            tombstoned=name in {self._names.labels, self._names.relabel},
            without_text=name == self._names.judgements,
            retention=timedelta(milliseconds=milliseconds) if milliseconds >= 0 else None,
        )


def _review_of(value: bytes) -> dict[str, Any]:
    """Return what an event says of its review; nothing if it is no event of ours."""
    try:
        event = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(event, dict):
        return {}
    review = event.get("review", event)
    return review if isinstance(review, dict) else {}
