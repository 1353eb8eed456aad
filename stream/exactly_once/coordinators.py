"""The coordinators of a transactional id and of a consumer group, and what a transaction asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    NodeNotReadyError,
    UnsupportedVersionError,
)
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)

from stream.exactly_once.negotiation import TransactionVersion
from stream.kafka.broker_errors import ErrorClass, classify_error
from stream.kafka.broker_features import AskFeatures, BrokerFeatures, features_in
from stream.kafka.by_topic import by_topic
from stream.kafka.joining_requests import EndAndRenew
from stream.kafka.membership import (
    NOBODY,
    JoiningOffsetCommit,
    MemberOffsetCommit,
    Membership,
    NotedOffset,
    TransactionOffsets,
)
from stream.kafka.replies import MalformedReply, require_all, taking_apart

# A coordinator answers "concurrent transactions" until the former transaction's end is written to
# its partitions: milliseconds. (aiokafka's own producer waits 20 ms each time.)
_FIRST_SOON_SECONDS: Final = 0.001
_LAST_SOON_SECONDS: Final = 0.02
_ELSEWHERE_SECONDS: Final = 0.1


class Coordinator:
    """Whichever broker coordinates one transactional id, or one group, just now.

    Args:
        client: started; it makes the connections.
        kind: of the coordinator: ``CoordinationType.TRANSACTION`` or ``GROUP``.
        key: transactional id, or group.
    """

    def __init__(self, client: Any, kind: int, key: str) -> None:
        self._client = client
        self._kind = kind
        self._key = key
        self._node: int | None = None

    async def ask(self, request: Any, codes: Callable[[Any], Iterable[int]]) -> Any:
        """Send a request until the coordinator has done it, and return its reply.

        Args:
            request: anything that the coordinator answers.
            codes: picks the error codes out of a reply.

        Raises:
            Fenced, KafkaError: as :func:`~stream.kafka.broker_errors.classify_error`; or the connection broke,
                and whether the request was done is unknown.
        """
        soon = _FIRST_SOON_SECONDS
        while True:
            reply = await self._send(request)
            found = ErrorClass.RETRY_ELSEWHERE if reply is None else classify_error(codes(reply))
            if found is ErrorClass.DONE:
                return reply
            if found is ErrorClass.RETRY_SOON:
                await asyncio.sleep(soon)
                soon = min(2 * soon, _LAST_SOON_SECONDS)
            else:
                self._node = None
                await asyncio.sleep(_ELSEWHERE_SECONDS)

    async def _send(self, request: Any) -> Any:
        """Return the reply; None: there is nobody to ask just now, and nothing was sent."""
        try:
            if self._node is None:
                if self._client.get_random_node() is None:
                    # A broker that has just come back may know of no broker, not even itself.
                    await self._client.force_metadata_update()
                    return None
                self._node = await self._client.coordinator_lookup(self._kind, self._key)
            return await self._client.send(self._node, request, group=ConnectionGroup.COORDINATION)
        except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NodeNotReadyError):
            return None
        except NotImplementedError as error:  # this broker does not know the request
            raise IncompatibleBrokerVersion(str(error)) from error


class TransactionCoordinator:
    """What a transactional producer asks its transaction coordinator (KIP-98, KIP-890).

    Args:
        client: started; it makes the connections.
        transactional_id: of the producer.
    """

    def __init__(self, client: Any, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self.producer_id = -1
        self.epoch = -1
        self.version = TransactionVersion.NAMED
        self._coordinator = Coordinator(client, CoordinationType.TRANSACTION, transactional_id)

    async def features(self) -> BrokerFeatures:
        """Return what the coordinator offers; nothing is known of a broker before Kafka 2.4."""
        try:
            return features_in(await self._coordinator.ask(AskFeatures(), _code))
        except (IncompatibleBrokerVersion, UnsupportedVersionError):
            return BrokerFeatures()

    async def initialise(self, version: TransactionVersion, timeout_ms: int) -> None:
        """Get a producer id and epoch. It shuts the former owner out and settles its transaction.

        Args:
            version: of the transactions that follow.
            timeout_ms: after which the broker aborts one that is not ended.
        """
        request = InitProducerIdRequest(self.transactional_id, timeout_ms)
        reply = await self._coordinator.ask(request, _code)
        self.go_on(reply.producer_id, reply.producer_epoch, version)

    def go_on(self, producer_id: int, epoch: int, version: TransactionVersion) -> None:
        """Take this producer id and epoch for ours.

        Raises:
            MalformedReply: they are none. Records of theirs would belong to no transaction.
        """
        if producer_id < 0 or epoch < 0:
            raise MalformedReply(
                f"{self.transactional_id} is given producer id {producer_id}, epoch {epoch}"
            )
        self.version = version
        self.producer_id, self.epoch = producer_id, epoch

    async def add_partitions(self, partitions: Iterable[TopicPartition]) -> None:
        """Name partitions whose records the transaction's end will decide about."""
        asked = list(partitions)
        if named := by_topic((tp, tp.partition) for tp in asked):
            request = AddPartitionsToTxnRequest(*self._producer, list(named.items()))
            await self._coordinator.ask(request, _codes_about(asked))

    async def add_group(self, group: str) -> None:
        """Name the group whose offsets the transaction's end will decide about."""
        await self._coordinator.ask(AddOffsetsToTxnRequest(*self._producer, group), _code)

    async def end(self, *, commit: bool) -> None:
        """Commit the transaction, or abort it.

        In version 2 the next one has another epoch afterwards, and once in 32,767 times another producer
        id. A coordinator that has ended it before, and could not say so, says it when it is asked again.
        """
        if self.version is TransactionVersion.NAMED:
            await self._coordinator.ask(EndTxnRequest(*self._producer, commit), _code)
            return
        reply = await self._coordinator.ask(EndAndRenew(self._producer, commit=commit), _code)
        self.go_on(reply.producer_id, reply.producer_epoch, self.version)

    @property
    def _producer(self) -> tuple[str, int, int]:
        return self.transactional_id, self.producer_id, self.epoch


class GroupOffsets:
    """A group's offsets, as a transaction commits them.

    Args:
        client: started; it makes the connections.
        group: whose.
    """

    def __init__(self, client: Any, group: str) -> None:
        self._group = group
        self._coordinator = Coordinator(client, CoordinationType.GROUP, group)

    async def commit(
        self,
        transaction: TransactionCoordinator,
        offsets: Mapping[TopicPartition, NotedOffset],
        membership: Membership | None = None,
    ) -> None:
        """Make offsets part of the transaction.

        Args:
            transaction: that names the group, or that it joins.
            offsets: what is committed.
            membership: in whose name. None: the group refuses nobody.

        Raises:
            Fenced: that is no member of the group's current generation.
            BrokerError: the broker is too old to look at the member.
        """
        request = self._request(transaction, offsets, membership)
        await self._coordinator.ask(request, _codes_about(offsets))

    def _request(
        self,
        transaction: TransactionCoordinator,
        offsets: Mapping[TopicPartition, NotedOffset],
        membership: Membership | None,
    ) -> Any:
        producer = transaction.producer_id, transaction.epoch
        of_transaction = TransactionOffsets(
            transaction.transactional_id, producer, self._group, offsets, membership or NOBODY
        )
        if transaction.version is TransactionVersion.JOINED:
            return JoiningOffsetCommit(of_transaction)
        if membership is not None:
            return MemberOffsetCommit(of_transaction)
        topics = by_topic(
            (tp, (tp.partition, next_.offset, next_.note)) for tp, next_ in offsets.items()
        )
        return TxnOffsetCommitRequest(
            transaction.transactional_id, self._group, *producer, list(topics.items())
        )


def _code(reply: Any) -> list[int]:
    return [reply.error_code]


def _codes_about(asked: Iterable[TopicPartition]) -> Callable[[Any], list[int]]:
    """Return what picks the codes out of a reply that has one for each partition.

    To take silence about a partition for a yes would end a transaction without its offset.
    """
    partitions = list(asked)

    def codes(reply: Any) -> list[int]:
        with taking_apart(reply):
            said = [
                (TopicPartition(topic, partition), code)
                for topic, entries, *_ in reply.errors
                for partition, code, *_ in entries
            ]
        require_all(reply, partitions, dict(said))
        return [code for _tp, code in said]

    return codes
