"""Publishing reviews: the producer side of the contract as a library."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

from aiokafka.errors import KafkaError, KafkaTimeoutError
from pydantic import ValidationError

from schemas import MAX_EVENT_BYTES, Headers, Review, SourcePosition, cloud_event, encode
from schemas.events import now
from stream.errors import DeliveryError, InvalidReview
from stream.files import derived_id, why_invalid
from stream.kafka.clients import idempotent_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.stopping import GIVE_UP_SECONDS, stop_producer
from stream.kafka.topics import require_topics
from stream.settings import Settings, load_settings
from stream.tracing import open_tracing

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

# Enough to fill every partition's batch several times over; a crash repeats at most this many.
MAX_IN_FLIGHT: Final = 5_000
# Wait for company before a batch leaves: invisible to a person, four times the throughput.
LINGER_MS: Final = 5
BATCH_BYTES: Final = 128 * 1024


class ReviewProducer:
    """Publishes reviews to the incoming topic, each exactly once per call.

    Idempotent and acknowledged by all in-sync replicas: a review that :meth:`send` returned for is
    on the broker, once, whatever was retried underneath.

    Example::

        async with ReviewProducer() as producer:
            await producer.send("Платье село после стирки")
            await producer.send(Review(review_id="42", text="Чайник течёт"))
            await producer.send_many(reviews)

    Args:
        settings: connection and topics; read from the environment unless given.
        source: CloudEvents source of what is sent, a URI reference that names your service.
        tracing: your service's own; what the settings say unless given.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        source: str = "/producer",
        tracing: Tracing | None = None,
    ) -> None:
        self._settings = settings or load_settings()
        self._source = source
        self._tracing = tracing
        self._own_tracing: Tracing | None = None
        self._producer: Any = None

    @property
    def topic(self) -> str:
        """Where reviews are published."""
        return self._settings.topic_names.incoming

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: no broker answers, or it refuses us.
            TopicMissing: the incoming topic does not exist.
            ExtraMissing: traces are wanted, and the extra ``otel`` is not installed.
        """
        kafka = self._settings.kafka
        if self._tracing is None:
            self._tracing = self._own_tracing = open_tracing(self._settings, "reviews-producer")
        self._producer = idempotent_producer(kafka, linger_ms=LINGER_MS, max_batch_size=BATCH_BYTES)
        await start(self._producer, kafka)
        try:
            cluster = await self._producer.client.fetch_all_metadata()
            require_topics([self.topic], cluster.topics())
        except KafkaError as error:
            await stop_producer(self._producer)
            raise unreachable(kafka, error) from None
        except BaseException:
            await stop_producer(self._producer)
            raise
        return self

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Deliver what is still in flight and disconnect, also from a broker that does not answer.

        Whoever leaves by an exception has given up, or been told to end.
        """
        patience = self._settings.kafka.request_timeout_ms / 1000
        await stop_producer(self._producer, patience if failed is None else GIVE_UP_SECONDS)
        if self._own_tracing is not None:
            await self._own_tracing.close()

    async def send(self, review: Review | str, *, review_id: str | None = None) -> SourcePosition:
        """Publish one review and wait until the broker has it.

        Args:
            review: a review, or just its text.
            review_id: the id of a bare text; derived from the text unless given, so that sending
                the same text again is the same review.

        Returns:
            Where the review stands on Kafka. Decisions about it name this position.

        Raises:
            InvalidReview: the text is empty, too large or not text; nothing was sent.
            DeliveryError: the broker did not acknowledge it in time.
        """
        with self._span() as trace:
            future = await self._enqueue(checked(review, review_id), trace)
            return await self._delivered(future)

    async def send_many(
        self,
        reviews: Iterable[Review | str] | AsyncIterable[Review | str],
        on_delivered: Callable[[int], None] | None = None,
    ) -> int:
        """Publish many reviews, batched and pipelined, in their order per review id.

        Args:
            reviews: may be endless; at most a few thousand are in flight at a time.
            on_delivered: called with the count of acknowledged reviews as it grows.

        Returns:
            How many were acknowledged: all of them.

        Raises:
            InvalidReview: a review breaks the contract; those before it are delivered.
            DeliveryError: the broker did not acknowledge one; later ones may or may not be there.
        """
        waiting: deque[asyncio.Future[Any]] = deque()
        delivered = 0

        async def settle(down_to: int) -> None:
            nonlocal delivered
            while len(waiting) > down_to or (waiting and waiting[0].done()):
                await self._delivered(waiting.popleft())
                delivered += 1
            if on_delivered is not None:
                on_delivered(delivered)

        with self._span() as trace:
            try:
                async for review in _each(reviews):
                    waiting.append(await self._enqueue(checked(review), trace))
                    if len(waiting) >= MAX_IN_FLIGHT:
                        await settle(MAX_IN_FLIGHT // 2)
            except Exception:  # whoever is cancelled waits for nothing more
                await settle(0)
                raise
            await settle(0)
        return delivered

    @contextlib.contextmanager
    def _span(self) -> Iterator[Headers]:
        """Span one call; yield the headers that its messages get. Without tracing: none."""
        if self._tracing is None:
            yield []
            return
        with self._tracing.sending(self.topic) as headers:
            yield headers

    async def _enqueue(self, review: Review, trace: Headers) -> asyncio.Future[Any]:
        value = encode(review)
        if len(value) > MAX_EVENT_BYTES:
            raise InvalidReview(
                f"review {review.review_id!r} is {len(value):,} bytes; at most "
                f"{MAX_EVENT_BYTES:,} are taken",
                "shorten its metadata",
            )
        # The same review has the same event id: a reader behind a mirror can drop repetitions.
        digest = hashlib.blake2b(value, digest_size=8).hexdigest()
        event_id = f"{review.review_id}:{digest}"
        time = review.created_at or now()
        headers = [*cloud_event(Review, event_id, review.review_id, time, self._source), *trace]
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                self.topic, value, key=review.review_id.encode(), headers=headers
            )
        except (KafkaError, OSError) as error:
            raise self._explain(error) from None
        return future

    async def _delivered(self, future: asyncio.Future[Any]) -> SourcePosition:
        try:
            record = await future
        except (KafkaError, OSError) as error:
            raise self._explain(error) from None
        return SourcePosition(topic=record.topic, partition=record.partition, offset=record.offset)

    def _explain(self, error: KafkaError | OSError) -> DeliveryError:
        servers = self._settings.kafka.bootstrap_servers
        if isinstance(error, KafkaTimeoutError):
            return DeliveryError(
                f"Kafka at {servers} did not acknowledge in time",
                "check the broker with `reviews doctor`; sending again is safe",
            )
        return DeliveryError(
            f"Kafka at {servers} did not take a review: {error}",
            "`reviews doctor` says more; sending again is safe",
        )


def checked(review: Review | str, review_id: str | None = None) -> Review:
    """Return a review that keeps to the contract.

    Raises:
        InvalidReview: says what is wrong with it.
    """
    try:
        if isinstance(review, str):
            review = Review(review_id=review_id or derived_id(review), text=review)
        # Lone surrogates are no text: no UTF-8 holds them.
        (review.review_id + review.text + "".join(review.metadata.values())).encode()
    except ValidationError as error:
        raise InvalidReview(why_invalid(error), "send text of 1 to 20,000 characters") from None
    except UnicodeEncodeError:
        raise InvalidReview(
            "the review has characters that are not Unicode text (lone surrogates)",
            "decode the input with its real encoding",
        ) from None
    return review


async def _each(
    reviews: Iterable[Review | str] | AsyncIterable[Review | str],
) -> AsyncIterator[Review | str]:
    if isinstance(reviews, AsyncIterable):
        async for review in reviews:
            yield review
    else:
        for review in reviews:
            yield review
