"""Which version of transactions is used: what brokers say, and what becomes of it when they change."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    ConcurrentTransactions,
    NotLeaderForPartitionError,
    UnsupportedVersionError,
)
from aiokafka.protocol.types import UnsignedVarInt32

from stream.exactly_once.coordinators import TransactionCoordinator
from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.negotiation import Negotiation, TransactionVersion
from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.partition_writer import PartitionWriter
from stream.kafka.broker_features import BrokerFeatures
from stream.kafka.membership import NotedOffset
from stream.kafka.size_limits import SizeLimits

NAMED, JOINED = TransactionVersion.NAMED, TransactionVersion.JOINED
VERSIONS = {0: 13, 22: 5, 26: 5, 28: 5}
LEVEL = "transaction.version"


class Broker:
    """Says what it offers, in the protocol's bytes."""

    def __init__(self, versions=VERSIONS, levels=None, code=0):
        self.versions = versions
        self.levels = {LEVEL: 2} if levels is None else levels
        self.code = code
        self.asked = 0

    def get_random_node(self):
        return 1

    async def coordinator_lookup(self, kind, key):
        return 1

    async def send(self, node, request, group):
        self.asked += 1
        built = request.prepare({18: (0, 4)})
        # ApiVersionsResponse.json of Kafka, version 3.
        keys = b"".join(
            key.to_bytes(2) + b"\x00\x00" + newest.to_bytes(2) + b"\x00"
            for key, newest in self.versions.items()
        )
        levels = UnsignedVarInt32.encode(len(self.levels) + 1) + b"".join(
            bytes([len(name) + 1]) + name.encode() + level.to_bytes(2) * 2 + b"\x00"
            for name, level in self.levels.items()
        )
        tags = (
            b"\x02\x01\x08" + b"\x00" * 8 + b"\x02" + UnsignedVarInt32.encode(len(levels)) + levels
        )
        array = UnsignedVarInt32.encode(len(self.versions) + 1) + keys
        return built.RESPONSE_TYPE.decode(self.code.to_bytes(2) + array + b"\x00" * 4 + tags)


class OldBroker(Broker):
    async def send(self, node, request, group):
        request.prepare({18: (0, 2)})


def features_of(broker):
    return TransactionCoordinator(broker, "id").features


async def test_versions_and_levels_are_read_from_the_reply():
    found = await features_of(Broker(levels={LEVEL: 2, "metadata.version": 30}))()
    assert found == BrokerFeatures(VERSIONS, {LEVEL: 2, "metadata.version": 30})


async def test_a_broker_that_says_no_more_than_versions_has_no_features():
    assert await features_of(OldBroker())() == BrokerFeatures()


async def test_a_reply_that_is_an_error_is_one():
    with pytest.raises(ClusterAuthorizationFailedError):
        await features_of(Broker(code=ClusterAuthorizationFailedError.errno))()


async def test_a_broker_that_no_longer_knows_the_question_has_no_features():
    assert await features_of(Broker(code=UnsupportedVersionError.errno))() == BrokerFeatures()


@pytest.mark.parametrize(
    ("broker", "chosen"),
    [
        (Broker(), JOINED),
        (Broker(levels={LEVEL: 3}), JOINED),
        (Broker(levels={LEVEL: 1}), NAMED),
        (Broker(levels={}), NAMED),
        (OldBroker(), NAMED),
        (Broker(VERSIONS | {0: 11}), NAMED),
        (Broker(VERSIONS | {26: 4}), NAMED),
        (Broker(VERSIONS | {28: 4}), NAMED),
        (Broker({}), NAMED),
    ],
    ids=[
        *("new", "newer", "level 1", "no level", "old"),
        *("old Produce", "old EndTxn", "old TxnOffsetCommit", "no request"),
    ],
)
async def test_the_second_version_needs_level_and_requests(broker, chosen):
    assert await Negotiation().version(features_of(broker)) is chosen


async def test_whoever_is_to_use_the_first_version_asks_nobody():
    broker = Broker()
    assert await Negotiation(NAMED).version(features_of(broker)) is NAMED
    assert not broker.asked


async def test_every_producer_hears_what_brokers_have_by_then():
    negotiation, broker = Negotiation(), Broker(levels={LEVEL: 1})
    assert await negotiation.version(features_of(broker)) is NAMED
    broker.levels = {LEVEL: 2}
    assert await negotiation.version(features_of(broker)) is JOINED
    broker.levels = {}
    assert await negotiation.version(features_of(broker)) is NAMED


async def test_what_a_broker_offers_and_another_does_not_know_is_not_asked_for_ever():
    negotiation = Negotiation()
    assert await negotiation.version(features_of(Broker())) is JOINED
    negotiation.refused()
    assert await negotiation.version(features_of(Broker())) is NAMED


@pytest.mark.parametrize("step", ["write", "end"])
async def test_a_producer_tells_that_its_request_was_not_known(step):
    options = TransactionOptions(
        connection=lambda: {"bootstrap_servers": "127.0.0.1:1"},
        group="g",
        timeout_ms=1000,
        request_timeout_ms=1000,
    )
    producer = GroupProducer(options, "id")
    producer._transaction.version = JOINED

    async def fine(*_, **__):
        return {"t": 1}

    async def refused(*_, **__):
        raise UnsupportedVersionError

    producer._writer.partition_counts = producer._offsets.commit = fine
    producer._writer.write = refused if step == "write" else fine
    producer._transaction.end = refused
    result = PartitionResult([Message("t", b"k", b"v", [])], NotedOffset(1))
    with pytest.raises(UnsupportedVersionError):
        await producer.commit({TopicPartition("in", 0): result})
    assert await options.negotiation.version(features_of(Broker())) is NAMED


class Coordination:
    """Gives every end's transaction the next epoch; the highest is followed by another producer id."""

    HIGHEST = 2

    def __init__(self):
        self.current = (7, 0)
        self.ended = []

    async def coordinator_lookup(self, kind, key):
        return 1

    def get_random_node(self):
        return 1

    async def send(self, node, request, group):
        built = request.prepare({22: (0, 5), 26: (0, 5)})
        if built.API_KEY == 26:
            self.ended.append((built.API_VERSION, built.producer_id, built.producer_epoch))
            producer_id, epoch = self.current
            if built.API_VERSION == 5:
                at_end = epoch == self.HIGHEST
                self.current = (producer_id + 1, 0) if at_end else (producer_id, epoch + 1)
        producer_id, epoch = self.current
        return SimpleNamespace(error_code=0, producer_id=producer_id, producer_epoch=epoch)


@pytest.mark.parametrize(
    ("version", "producers"),
    [(NAMED, [(7, 0)] * 4), (JOINED, [(7, 0), (7, 1), (7, 2), (8, 0)])],
)
async def test_transactions_after_one_another_have_the_epochs_of_their_version(version, producers):
    broker = Coordination()
    transaction = TransactionCoordinator(broker, "id")
    await transaction.initialise(version, 1000)
    for _ in producers:
        await transaction.end(commit=True)
    api = 0 if version is NAMED else 5
    assert broker.ended == [(api, *producer) for producer in producers]


async def test_sequence_numbers_go_on_within_an_epoch_and_begin_anew_with_the_next():
    transaction = SimpleNamespace(transactional_id="id", producer_id=7, epoch=0, version=JOINED)
    sent = []

    class Client:
        cluster = SimpleNamespace(leader_for_partition=lambda _tp: 1)

        async def send(self, _node, request):
            ((_, ((_, batch, _),), _),) = request.prepare({0: (0, 12)}).topics
            sent.append(
                tuple(int.from_bytes(batch[a:b]) for a, b in ((43, 51), (51, 53), (53, 57)))
            )
            return SimpleNamespace(topics=[("t", [(0, 0)], {})])

    writer = PartitionWriter(Client(), transaction, "none", 1000, SizeLimits())
    messages = {TopicPartition("t", 0): [Message("t", b"k", b"v", [])] * 2}
    for transaction.producer_id, transaction.epoch in ((7, 0), (7, 0), (7, 1), (8, 0)):
        await writer.write(messages)
    assert sent == [(7, 0, 0), (7, 0, 2), (7, 1, 0), (8, 0, 0)]


async def test_while_the_former_end_is_written_the_same_leader_is_asked_again_soon():
    transaction = SimpleNamespace(transactional_id="id", producer_id=7, epoch=1, version=JOINED)
    codes = [ConcurrentTransactions.errno] * 3 + [NotLeaderForPartitionError.errno, 0]
    updates = []

    class Client:
        cluster = SimpleNamespace(leader_for_partition=lambda _tp: 1)

        async def send(self, _node, _request):
            return SimpleNamespace(topics=[("t", [(0, codes.pop(0))], {})])

        def force_metadata_update(self):
            updates.append(len(codes))

    writer = PartitionWriter(Client(), transaction, "none", 1000, SizeLimits())
    await writer.write({TopicPartition("t", 0): [Message("t", b"k", b"v", [])]})
    assert updates == [1], "only where a leader says that it is none"
