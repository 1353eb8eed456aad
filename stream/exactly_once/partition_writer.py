"""Writing a transaction's records to the leaders of their partitions, idempotently."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import IncompatibleBrokerVersion, NodeNotReadyError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.exactly_once.coordinators import TransactionCoordinator
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import TransactionVersion
from stream.kafka.broker_errors import ErrorClass, classify_error
from stream.kafka.by_topic import by_topic
from stream.kafka.joining_requests import JoiningProduce
from stream.kafka.private import known_partitions
from stream.kafka.replies import taking_apart
from stream.kafka.size_limits import TOO_LARGE_CODES, RecordsTooLarge, SizeLimits

# One batch a partition and transaction in nearly all cases.
BATCH_BYTES: Final = 512 * 1024
_FIRST_RETRY_SECONDS: Final = 0.002
_LAST_RETRY_SECONDS: Final = 0.1
_ALL_IN_SYNC_REPLICAS: Final = -1
_MAGIC: Final = 2
_SEQUENCE_NUMBERS: Final = 2**31
_CODECS: Final = {
    "none": 0,
    "gzip": DefaultRecordBatch.CODEC_GZIP,
    "lz4": DefaultRecordBatch.CODEC_LZ4,
}


class _Batch(NamedTuple):
    data: bytearray
    size: int
    """Before compression."""
    records: int


class PartitionWriter:
    """Writes records under a producer's id, epoch and sequence numbers.

    A broker drops what it has already under a sequence number, so sending again is safe. Numbers begin
    at 0 under every producer id and epoch. Do not use it after any exception.

    Args:
        client: started; it makes the connections.
        transaction: whose records these are; initialised.
        compression: of batches: none, gzip or lz4.
        timeout_ms: that a leader may wait for its replicas.
        limits: of batches, by topic.
    """

    def __init__(
        self,
        client: Any,
        transaction: TransactionCoordinator,
        compression: str,
        timeout_ms: int,
        limits: SizeLimits,
    ) -> None:
        self._client = client
        self._transaction = transaction
        self._codec = _CODECS[compression]
        self._timeout_ms = timeout_ms
        self._limits = limits
        self._partitions: dict[str, int] = {}
        self._sequences: dict[TopicPartition, int] = {}
        self._numbered_for = (-1, -1)

    async def partition_counts(self, topics: set[str]) -> Mapping[str, int]:
        """Return how many partitions each topic has, as of the last metadata; never fewer than before.

        Who adds partitions changes where later outcomes go. Metadata of a broker that has yet to hear of
        it must not change that back.

        Raises:
            KafkaError: a topic does not exist, or may not be written to.
        """
        if unknown := topics - self._partitions.keys():
            await self._client.set_topics([*self._partitions, *unknown])
            for topic in unknown:
                partitions = await known_partitions(self._client, topic)
                self._partitions[topic] = len(partitions)
        for topic, known in self._partitions.items():
            now = self._client.cluster.partitions_for_topic(topic)
            self._partitions[topic] = max(known, len(now or ()))
        return self._partitions

    async def write(self, messages: Mapping[TopicPartition, Sequence[Message]]) -> None:
        """Write messages and wait until all in-sync replicas have them.

        Args:
            messages: by partition, in order. The partitions are part of the transaction, or join it.

        Raises:
            Fenced: another producer has the transactional id.
            RecordsTooLarge: a topic does not take a batch of this size.
            KafkaError: a broker refuses, or the connection broke.
        """
        producer = self._transaction.producer_id, self._transaction.epoch
        if producer != self._numbered_for:
            self._numbered_for = producer
            self._sequences.clear()
        waiting = {tp: self._batches(tp, group) for tp, group in messages.items()}
        while waiting:
            # A request holds one batch a partition.
            await self._deliver({tp: batches[0] for tp, batches in waiting.items()})
            for batches in waiting.values():
                batches.popleft()
            waiting = {tp: batches for tp, batches in waiting.items() if batches}

    async def _deliver(self, batches: dict[TopicPartition, _Batch]) -> None:
        wait = _FIRST_RETRY_SECONDS
        while True:
            by_leader: dict[int, list[TopicPartition]] = {}
            for tp in batches:
                leader = self._client.cluster.leader_for_partition(tp)
                by_leader.setdefault(-1 if leader is None else leader, []).append(tp)
            led = [(node, tps) for node, tps in by_leader.items() if node >= 0]
            replies = await asyncio.gather(
                *(self._send(node, {tp: batches[tp] for tp in tps}) for node, tps in led)
            )
            said = {tp: answer for reply in replies for tp, answer in reply.items()}
            batches = {
                tp: batch
                for tp, batch in batches.items()
                if said.get(tp, ErrorClass.RETRY_ELSEWHERE) is not ErrorClass.DONE
            }
            if not batches:
                return
            # The former transaction's end that is still being written is no news of leaders.
            if any(said.get(tp) is not ErrorClass.RETRY_SOON for tp in batches):
                self._client.force_metadata_update()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LAST_RETRY_SECONDS)

    async def _send(
        self, node: int, batches: dict[TopicPartition, _Batch]
    ) -> dict[TopicPartition, ErrorClass]:
        """Return what the leader says of each; nothing where it was not asked."""
        try:
            reply = await self._client.send(node, self._request(batches))
        except NodeNotReadyError:  # nothing was sent
            return {}
        except NotImplementedError as error:  # this broker does not know the request
            raise IncompatibleBrokerVersion(str(error)) from error
        with taking_apart(reply):
            codes = {
                tp: code
                for topic, partitions, *_tags in reply.topics
                for partition, code, *_rest in partitions
                if (tp := TopicPartition(topic, partition)) in batches
            }
        for tp, code in codes.items():
            if code in TOO_LARGE_CODES:
                raise RecordsTooLarge(tp.topic, batches[tp].size, batches[tp].records)
        return {tp: classify_error([code]) for tp, code in codes.items()}

    def _request(self, batches: Mapping[TopicPartition, _Batch]) -> Any:
        transactional_id = self._transaction.transactional_id
        if self._transaction.version is TransactionVersion.JOINED:
            data = {tp: batch.data for tp, batch in batches.items()}
            return JoiningProduce(transactional_id, self._timeout_ms, data)
        named = by_topic((tp, (tp.partition, batch.data)) for tp, batch in batches.items())
        topics = list(named.items())
        return ProduceRequest(transactional_id, _ALL_IN_SYNC_REPLICAS, self._timeout_ms, topics)

    def _batches(self, tp: TopicPartition, messages: Sequence[Message]) -> deque[_Batch]:
        timestamp = int(time.time() * 1000)
        finished: deque[_Batch] = deque()
        builder, count = self._builder(tp), 0
        for message in messages:
            fields = timestamp, message.key, message.value, message.headers
            if builder.append(count, *fields) is None:  # full: the first of a batch always fits
                finished.append(self._finish(tp, builder, count))
                builder, count = self._builder(tp), 0
                builder.append(count, *fields)
            count += 1
        finished.append(self._finish(tp, builder, count))
        return finished

    def _builder(self, tp: TopicPartition) -> Any:
        return DefaultRecordBatchBuilder(
            magic=_MAGIC,
            compression_type=self._codec,
            is_transactional=1,
            producer_id=self._transaction.producer_id,
            producer_epoch=self._transaction.epoch,
            base_sequence=self._sequences.get(tp, 0),
            batch_size=self._limits.batch_bytes(tp.topic, BATCH_BYTES),
        )

    def _finish(self, tp: TopicPartition, builder: Any, count: int) -> _Batch:
        self._sequences[tp] = (self._sequences.get(tp, 0) + count) % _SEQUENCE_NUMBERS
        size = builder.size()
        return _Batch(builder.build(), size, count)
