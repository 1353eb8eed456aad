"""Consuming what the workers decided: categories, reviews to relabel, dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from schemas import (
    CategorizedReview,
    Category,
    DeadLetterReason,
    Headers,
    RelabelTask,
    SourcePosition,
    WrongShape,
    active_taxonomy,
    all_categories,
    decode,
    without_dead_letter,
)
from schemas.topics import CATEGORY_HEADER
from stream.categories import category_named
from stream.clients.reader import Commit, Start, TopicReader
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be processed, as it came in, and why."""

    position: SourcePosition
    """Where the dead letter stands; ``reason.source`` is where the original stood."""
    reason: DeadLetterReason
    key: bytes | None
    value: bytes | None
    """The original bytes; their beginning, where ``reason.cut`` says so."""
    headers: Headers
    """The original headers."""


class CategoryConsumer(TopicReader[CategorizedReview]):
    """Iterates over decided reviews of some categories.

    Example::

        async with CategoryConsumer(["clothing", "footwear"], group="size-charts") as reviews:
            async for event in reviews:
                print(event.category, event.confidence, event.review.text)

    Each event is delivered at least once: it counts as handled when the next one is asked for.
    A consumer that must see it once keeps ``event.source``, which names the input for ever; a
    later decision about the same review has a higher ``event.revision``.

    Args:
        categories: slugs or :class:`~schemas.Category`; all unless given.
        settings: connection and topics; read from the environment unless given.
        group: consumer group whose members share the work and whose position is kept. Without one
            every consumer reads everything.
        follow: wait for more for ever, or end at what was there when the consumer started.
        commit: ``handled``, or ``manual`` to call :meth:`commit` yourself.
        begin: where a group without a position starts.
        since: without a group, only what is on Kafka from this time on; with a time zone.
        key: only messages with this key: a review's id.

    Raises:
        ConfigError: there is no such category.
    """

    def __init__(
        self,
        categories: Iterable[Category | str] | None = None,
        *,
        settings: Settings | None = None,
        group: str | None = None,
        follow: bool = True,
        commit: Commit = "handled",
        begin: Start = "earliest",
        since: datetime | None = None,
        key: str | None = None,
    ) -> None:
        settings = settings or load_settings()
        names = settings.topic_names
        chosen = [category_named(category) for category in categories or all_categories()]
        filtered = names.layout == "single" and categories is not None
        super().__init__(
            dict.fromkeys(names.category(category) for category in chosen),
            _decoded_of(frozenset(chosen) if categories is not None else None),
            settings=settings,
            group=group,
            follow=follow,
            commit=commit,
            begin=begin,
            since=since,
            wanted=_all_of(_is_of(frozenset(chosen)) if filtered else None, _has_key(key)),
        )


class RelabelConsumer(TopicReader[RelabelTask]):
    """Iterates over reviews that the model was unsure of.

    Options as in :class:`CategoryConsumer`.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        group: str | None = None,
        follow: bool = True,
        commit: Commit = "handled",
        begin: Start = "earliest",
        since: datetime | None = None,
        key: str | None = None,
    ) -> None:
        settings = settings or load_settings()
        super().__init__(
            [settings.topic_names.relabel],
            lambda record: decode(RelabelTask, record.value),
            settings=settings,
            group=group,
            follow=follow,
            commit=commit,
            begin=begin,
            since=since,
            wanted=_has_key(key),
        )


class DeadLetterConsumer(TopicReader[DeadLetter]):
    """Iterates over messages that could not be processed.

    Options as in :class:`CategoryConsumer`.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        group: str | None = None,
        follow: bool = True,
        commit: Commit = "handled",
        begin: Start = "earliest",
        since: datetime | None = None,
        key: str | None = None,
    ) -> None:
        settings = settings or load_settings()
        super().__init__(
            [settings.topic_names.dead_letter],
            dead_letter,
            settings=settings,
            group=group,
            follow=follow,
            commit=commit,
            begin=begin,
            since=since,
            wanted=_has_key(key),
        )


Wanted = Callable[["ConsumerRecord"], bool]


def _has_key(key: str | None) -> Wanted | None:
    if key is None:
        return None
    wanted = key.encode("utf-8", "surrogateescape")
    return lambda record: record.key == wanted


def _all_of(*conditions: Wanted | None) -> Wanted | None:
    held = [condition for condition in conditions if condition is not None]
    return (lambda record: all(condition(record) for condition in held)) if held else None


def _decoded_of(
    chosen: frozenset[Category] | None,
) -> Callable[[ConsumerRecord], CategorizedReview]:
    """Return what reads a decided review, and refuses one of a category that nobody asked for.

    A message says its category three times: by its topic or header, and in its value. The value is
    what holds; the others only save the reading.
    """

    def decoded(record: ConsumerRecord) -> CategorizedReview:
        event = decode(CategorizedReview, record.value)
        if chosen is not None and event.category not in chosen:
            raise WrongShape(f"it is of {event.category}, not of the category that it was sent as")
        return event

    return decoded


def _is_of(chosen: frozenset[Category]) -> Callable[[ConsumerRecord], bool]:
    """Return what tells by a message's header whether it is of these categories.

    What has no such header is let through: whoever parses it then says what is wrong with it.
    """

    def is_of(record: ConsumerRecord) -> bool:
        slug = next((v for name, v in record.headers if name == CATEGORY_HEADER and v), None)
        if slug is None:
            return True
        heirs = active_taxonomy().heirs(slug.decode("utf-8", "replace"))
        return not heirs or not chosen.isdisjoint(heirs)

    return is_of


def dead_letter(record: ConsumerRecord) -> DeadLetter:
    """Read a message of the dead-letter topic.

    Raises:
        KeyError: it lacks our headers: it is no dead letter of ours.
        ValueError: a header has a wrong value.
    """
    return DeadLetter(
        position=SourcePosition(
            topic=record.topic, partition=record.partition, offset=record.offset
        ),
        reason=DeadLetterReason.from_headers(record.headers),
        key=record.key,
        value=record.value,
        headers=without_dead_letter(record.headers),
    )
