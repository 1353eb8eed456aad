"""Whatever answers in a broker's place: a transaction ends as told, or with an error, in time."""

import asyncio
import struct
from functools import partial

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CorrelationIdError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    UnknownError,
)

from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.options import TransactionOptions
from stream.kafka.clients import bare_client
from stream.kafka.membership import NotedOffset
from stream.kafka.replies import MalformedReply
from tests.support.scripted_broker import (
    ADD_OFFSETS,
    ADD_PARTITIONS,
    API_VERSIONS,
    DESCRIBE_TRANSACTIONS,
    END_TXN,
    FIND_COORDINATOR,
    FIRST_VERSION,
    INIT_PRODUCER_ID,
    METADATA,
    PRODUCE,
    SECOND_VERSION,
    TXN_OFFSET_COMMIT,
    Close,
    ScriptedBroker,
    Silence,
)

INPUT = TopicPartition("in", 0)
RESULT = {INPUT: PartitionResult([Message("out", b"key", b"value", [])], NotedOffset(5))}
BROKERS = [
    pytest.param(partial(ScriptedBroker, FIRST_VERSION), id="first version"),
    pytest.param(partial(ScriptedBroker, SECOND_VERSION, level=2), id="second version"),
]
ASKED = [
    PRODUCE,
    METADATA,
    FIND_COORDINATOR,
    API_VERSIONS,
    INIT_PRODUCER_ID,
    ADD_PARTITIONS,
    ADD_OFFSETS,
    END_TXN,
    TXN_OFFSET_COMMIT,
    DESCRIBE_TRANSACTIONS,
]
PATIENT, IMPATIENT = 20.0, 0.25
"""Seconds for a request; twice as much for a transaction."""
OUT_OF_TIME = (KafkaError, TimeoutError)
LIST_OF_NOTHING, NO_LIST = struct.pack(">i", 0), struct.pack(">i", -1)
EMPTY, NULL = b"\x01", b"\x00"
"""Compact lists."""
NOT_COORDINATOR, NOBODY_KNOWS = 16, 9_999


def options(broker, seconds=PATIENT, **connection):
    return TransactionOptions(
        connection=lambda: {
            "bootstrap_servers": broker.address,
            "request_timeout_ms": int(seconds * 1000),
            **connection,
        },
        group="group",
        timeout_ms=int(2 * seconds * 1000),
        request_timeout_ms=int(seconds * 1000),
    )


async def live(broker, seconds=PATIENT, shared=None):
    """Take an id over, and commit once."""
    producer = GroupProducer(shared or options(broker, seconds), "id")
    try:
        await producer.connect()
        await producer.take_over(["out"], [0])
        await producer.commit(RESULT)
    finally:
        await producer.discard()


def always(body):
    return lambda _asked, _body: body


def raising(error):
    def answer(_asked, _body):
        raise error

    return answer


@pytest.mark.parametrize("make", BROKERS)
async def test_a_broker_that_makes_sense_commits(make):
    async with make() as broker:
        broker.last_state = "Empty"
        await live(broker)
        assert broker.ends == [True]


@pytest.mark.parametrize("make", BROKERS)
@pytest.mark.parametrize("key", ASKED)
async def test_a_reply_that_is_cut_off_or_spoilt_is_an_error_of_the_broker(make, key):
    async def spoilt(spoil):
        async with make() as broker:
            broker.spoil[key] = spoil
            try:
                await live(broker, IMPATIENT)
            except (KafkaError, TimeoutError):
                return

    cuts = [lambda _asked, body, n=n: body[:n] for n in (0, 1, 3, 6, 11)]
    holes = [
        lambda _asked, body, n=n, byte=byte: body[:n] + byte + body[n + 1 :]
        for n in (0, 3, 5, 8, 14)
        for byte in (b"\x7f", b"\xff")
    ]
    await asyncio.gather(*(spoilt(spoil) for spoil in cuts + holes))


@pytest.mark.parametrize("make", BROKERS)
@pytest.mark.parametrize("key", [FIND_COORDINATOR, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT])
@pytest.mark.parametrize("sent", [b"", struct.pack(">i", 1000) + b"some of it"])
async def test_a_broker_that_hangs_up_is_a_broken_connection(make, key, sent):
    async with make() as broker:
        broker.spoil[key] = raising(Close(sent))
        with pytest.raises(KafkaConnectionError):
            await live(broker)


@pytest.mark.parametrize("make", BROKERS)
@pytest.mark.parametrize("key", [FIND_COORDINATOR, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT])
async def test_a_broker_that_is_silent_is_waited_for_no_longer_than_set(make, key):
    async with make() as broker, asyncio.timeout(PATIENT):
        broker.last_state = "Empty"
        broker.spoil[key] = raising(Silence())
        with pytest.raises(OUT_OF_TIME):
            await live(broker, IMPATIENT)
        assert broker.ends == []


@pytest.mark.parametrize("make", BROKERS)
@pytest.mark.parametrize(
    ("frame", "error", "seconds"),
    [
        (
            lambda frame: frame[:4] + struct.pack(">i", 4711) + frame[8:],
            CorrelationIdError,
            PATIENT,
        ),
        (lambda frame: struct.pack(">i", -7) + frame[4:], KafkaConnectionError, PATIENT),
        (lambda frame: struct.pack(">i", 2**31 - 1) + frame[4:], OUT_OF_TIME, IMPATIENT),
    ],
    ids=["another request's", "of a negative length", "of two gigabytes"],
)
async def test_an_answer_that_is_no_answer_is_an_error(make, frame, error, seconds):
    async with make() as broker:
        broker.last_state = "Empty"
        usual = broker.frame
        broker.frame = lambda asked, body: (
            frame(usual(asked, body)) if asked.key == TXN_OFFSET_COMMIT else usual(asked, body)
        )
        with pytest.raises(error):
            await live(broker, seconds)
        assert broker.ends == []


NO_THROTTLING = bytes(4)


@pytest.mark.parametrize(
    ("versions", "errors"),
    [
        (FIRST_VERSION, EMPTY + b"\x00"),
        (FIRST_VERSION, NULL + b"\x00"),
        (SECOND_VERSION, EMPTY + b"\x00"),
    ],
)
async def test_silence_about_an_offset_does_not_commit_without_it(versions, errors):
    async with ScriptedBroker(versions, level=2) as broker:
        broker.last_state = "Empty"
        broker.spoil[TXN_OFFSET_COMMIT] = lambda asked, _body: (
            NO_THROTTLING + (LIST_OF_NOTHING if asked.version == 0 else errors)
        )
        with pytest.raises(MalformedReply):
            await live(broker)
        assert broker.ends == []


async def test_a_yes_to_another_partitions_offset_does_not_commit():
    async with ScriptedBroker(SECOND_VERSION, level=2) as broker:
        broker.last_state = "Empty"
        broker.spoil[TXN_OFFSET_COMMIT] = lambda _asked, body: body.replace(b"in", b"on")
        with pytest.raises(MalformedReply, match=r"nothing of in\[0\]"):
            await live(broker)
        assert broker.ends == []


@pytest.mark.parametrize("errors", [LIST_OF_NOTHING, NO_LIST])
async def test_partitions_that_no_reply_names_are_not_part_of_the_transaction(errors):
    async with ScriptedBroker(FIRST_VERSION) as broker:
        broker.last_state = "Empty"
        broker.spoil[ADD_PARTITIONS] = always(NO_THROTTLING + errors)
        with pytest.raises(MalformedReply):
            await live(broker)
        assert broker.count(PRODUCE) == 0


async def test_a_producer_without_an_id_writes_nothing():
    async with ScriptedBroker(SECOND_VERSION, level=2) as broker:
        broker.spoil[INIT_PRODUCER_ID] = lambda asked, _body: asked.reply(0, 0, -1, -1)
        with pytest.raises(MalformedReply):
            await live(broker)
        assert broker.count(PRODUCE) == 0


async def test_what_was_decided_of_another_id_is_not_decided_of_ours():
    async with ScriptedBroker() as broker:
        broker.spoil[DESCRIBE_TRANSACTIONS] = lambda _asked, body: body.replace(
            b"\x03id", b"\x03if"
        )
        with pytest.raises(MalformedReply, match="about 'if'"):
            await live(broker)
        assert broker.ends == []


async def test_an_error_that_nobody_knows_is_named_by_its_number():
    async with ScriptedBroker() as broker:
        broker.spoil[INIT_PRODUCER_ID] = lambda asked, _body: asked.reply(0, NOBODY_KNOWS, -1, -1)
        with pytest.raises(UnknownError, match="9999"):
            await live(broker)


def not_here(asked, _body):
    return asked.reply(0, NOT_COORDINATOR, -1, -1)


async def test_a_coordinator_that_moves_with_each_request_is_followed():
    async with ScriptedBroker() as broker:
        broker.last_state = "Empty"
        broker.brokers = (0, 1, 2)
        broker.spoil[INIT_PRODUCER_ID] = lambda asked, body: (
            not_here(asked, body) if broker.count(INIT_PRODUCER_ID) <= 4 else body
        )
        await live(broker)
        assert broker.ends == [True]


async def test_a_coordinator_that_is_nowhere_is_looked_for_no_longer_than_set():
    async with ScriptedBroker() as broker, asyncio.timeout(PATIENT):
        broker.spoil[INIT_PRODUCER_ID] = not_here
        with pytest.raises(OUT_OF_TIME):
            await live(broker, IMPATIENT)


async def test_brokers_that_go_back_to_an_older_release_are_asked_as_that_release_is():
    async with ScriptedBroker(SECOND_VERSION, level=2) as broker:
        shared = options(broker)
        producer = GroupProducer(shared, "id")
        try:
            await producer.connect()
            await producer.take_over(["out"], [0])
            await producer.commit(RESULT)
            broker.versions, broker.level = FIRST_VERSION, 0
            broker.hang_up()
            with pytest.raises((IncompatibleBrokerVersion, KafkaConnectionError)):
                await producer.commit(RESULT)
        finally:
            await producer.discard()
        before = len(broker.asked)
        await live(broker, shared=shared)
        versions = {asked.key: asked.version for asked in broker.asked[before:]}
        assert versions[PRODUCE] < SECOND_VERSION[PRODUCE][1]
        assert versions[END_TXN] == 0


async def test_metadata_that_make_no_sense_are_asked_for_again():
    async with ScriptedBroker() as broker:
        client = bare_client(options(broker).connection())
        await client.bootstrap()
        try:
            broker.spoil[METADATA] = lambda _asked, body: body[:-4] + NO_LIST
            async with asyncio.timeout(30):
                assert not await client.force_metadata_update()
                del broker.spoil[METADATA]
                assert await client.force_metadata_update()
        finally:
            await client.close()


async def test_partitions_that_are_added_to_an_output_are_written_to_without_a_new_producer():
    result = {TopicPartition("in", 1): RESULT[INPUT]}
    async with ScriptedBroker() as broker, asyncio.timeout(60):
        producer = GroupProducer(options(broker, metadata_max_age_ms=50), "id")
        try:
            await producer.connect()
            await producer.initialise()
            await producer.commit(result)
            assert broker.written == {("out", 0)}
            broker.partitions = 2
            while ("out", 1) not in broker.written:
                await producer.commit(result)
        finally:
            await producer.discard()
        assert broker.count(INIT_PRODUCER_ID) == 1


async def test_versions_that_end_before_they_begin_are_no_brokers():
    async with ScriptedBroker({**FIRST_VERSION, PRODUCE: (7, 1)}) as broker:
        with pytest.raises(KafkaConnectionError):
            await live(broker)
