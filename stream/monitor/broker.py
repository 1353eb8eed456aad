"""Faust's side of the connection: credentials, and a consumer that reads committed events only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

import aiokafka
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials
from faust.exceptions import ProducerSendError
from faust.transport.drivers.aiokafka import Consumer, Producer, Transport
from faust.types import TP
from faust.types.auth import AuthProtocol
from mode.utils.queues import FlowControlEvent

from stream.kafka.clients import COMMITTED
from stream.kafka.connection import connection_options
from stream.kafka.private import isolate, sender_of, unacknowledged_batches
from stream.kafka.reading import Bounds, read_bounded
from stream.monitor.consumer_thread import BoundedConsumerThread
from stream.monitor.positions import Positions
from stream.settings import KafkaSettings

# Changes of tables that may wait to be sent. Beyond, Faust stops taking events in, with a warning.
_BUFFERED_CHANGES: Final = 5_000
_DRAIN_SECONDS: Final = 0.01


class _CommittedThread(BoundedConsumerThread):
    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads committed events only when it writes in transactions of its own, which
        # duplicate at rebalances (faust-streaming/faust#323). The fetcher, which reads this
        # option, is made when the consumer starts.
        isolate(consumer, COMMITTED)
        read_bounded(consumer, Bounds())
        return consumer


class CommittedConsumer(Consumer):
    """Reads what is committed, in a thread that ends; commits only what was taken in."""

    def __init__(
        self,
        transport: Transport,
        callback: Callable[[Any], Awaitable[None]],
        *rest: Any,
        **options: Any,
    ) -> None:
        self.positions = Positions()
        """Whoever takes an event in says so here."""

        async def hand_on(message: Any) -> None:
            if self.app.topics.acks_enabled_for(message.topic):
                self.positions.handed_on(message.tp, message.offset)
            await callback(message)

        super().__init__(transport, hand_on, *rest, **options)

    @property
    def thread(self) -> BoundedConsumerThread:
        """The thread that reads."""
        return cast("BoundedConsumerThread", self._thread)

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        reached = {tp: self.positions.committable(tp, offset) for tp, offset in offsets.items()}
        ahead = {tp: offset for tp, offset in reached.items() if self._should_commit(tp, offset)}
        return bool(ahead) and await super()._commit_offsets(ahead, start_new_transaction)

    def _new_consumer_thread(self) -> BoundedConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class FlushingProducer(Producer):
    """Sends everything before positions are committed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.buffer.max_messages = _BUFFERED_CHANGES
        self._made: list[aiokafka.AIOKafkaProducer] = []
        self._in_hand = 0
        self._lost: BaseException | None = None

    @property
    def unacknowledged(self) -> int:
        """Changes that wait to be sent, and batches that the broker has not acknowledged."""
        return self._unsent + sum(unacknowledged_batches(made) for made in self._made)

    @property
    def _unsent(self) -> int:
        return self.buffer.size + self._in_hand

    async def send(self, *args: Any, **options: Any) -> Any:
        """Hand a message to aiokafka, as Faust does, and remember it until it is there.

        Faust takes a change out of its buffer before it hands it on. Until aiokafka has it, which
        may take as long as the broker is silent, neither of them knows of it.
        """
        self._in_hand += 1
        try:
            sent = await super().send(*args, **options)
        except BaseException as error:
            self._lost = error
            raise
        finally:
            self._in_hand -= 1
        cast("asyncio.Future[Any]", sent).add_done_callback(self._look_at)
        return sent

    async def flush(self) -> None:
        """Wait until everything that was handed over before is acknowledged.

        Raises:
            ProducerSendError: some of it never will be. Positions must not be committed any more:
                what they stand for is taken in again by the next run.
        """
        # Faust's own gives up after a tenth of a second without progress, and would then commit
        # positions whose changes are not on the broker yet.
        while self._unsent and self.buffer.state == "running":
            await self.buffer.flush()
            await asyncio.sleep(_DRAIN_SECONDS)
        await super().flush()
        await asyncio.sleep(0)  # whoever was told of a failure has been called then
        # What came meanwhile stands for positions that are not committed now: the next flush waits for it.
        left_behind = self._unsent and self.buffer.state != "running"
        if self._lost is not None or left_behind:
            raise ProducerSendError("a change was not written") from self._lost

    def _look_at(self, sent: asyncio.Future[Any]) -> None:
        if sent.cancelled():
            self._lost = asyncio.CancelledError()
        elif (error := sent.exception()) is not None:
            self._lost = error

    async def learn(self, topic: str) -> None:
        """Ask the broker for a topic's partitions, unless they are known.

        Raises:
            KafkaError: it has no such topic, even after a while.
        """
        await self._ensure_producer().partitions_for(topic)

    async def abandon(self) -> None:
        """Close the connections; what is not acknowledged is given up."""
        for producer in self._made:
            sender = sender_of(producer)  # its stop() waits for acknowledgements
            if sender is not None:
                await sender.close()
            await producer.client.close()

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
        producer = super()._new_producer(transactional_id)
        self._made.append(producer)
        return producer


class FlowControl(FlowControlEvent):
    """Lets events through to the streams, or holds them up."""

    def resume(self) -> None:
        """Let events through again.

        Faust empties all queues whenever it resumes, also where nothing was held up: when it has read
        its tables back, a partition's events come in already, and one that waited in a queue was gone.
        """
        if not self.is_active():
            super().resume()


class CommittedTransport(Transport):
    """Faust's transport, made exact.

    It reads nothing that a worker aborted, and positions are committed only after everything that
    was derived from what lies before them is on the broker.
    """

    Consumer = CommittedConsumer
    Producer = FlushingProducer


def broker_urls(kafka: KafkaSettings) -> list[str]:
    """Return the brokers as Faust writes them."""
    return [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]


def credentials(kafka: KafkaSettings) -> Credentials | None:
    """Return what Faust needs to sign in; None: the connection is plain.

    Raises:
        ConfigError: TLS or SASL is demanded and what it needs is absent or unreadable.
    """
    options: dict[str, Any] = dict(connection_options(kafka))
    tls = options.get("ssl_context")
    if "sasl_oauth_token_provider" in options:
        token = OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=tls)
        if tls is not None:
            token.protocol = AuthProtocol.SASL_SSL  # Faust forgets it for tokens
        return token
    if "sasl_mechanism" in options:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=tls,
        )
    return SSLCredentials(tls) if tls is not None else None
