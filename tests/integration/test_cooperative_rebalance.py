"""Workers join and leave: partitions that stay where they are go on meanwhile."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.protocol.group import LeaveGroupRequest

from stream.exactly_once.assignment import group_consumer
from stream.kafka.private import ask_coordinator, coordinator_of
from stream.worker.group_member import member_options
from tests.support.pipeline import (
    PARTITIONS,
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka
MODES = pytest.mark.parametrize("mode", ["partition", "worker"])


def reviews(first, count):
    row = '{"review_id": "r%d", "text": "чайник номер %d"}'
    return [(b"k%d" % n, (row % (n, n)).encode()) for n in range(first, first + count)]


async def until(true):
    async with asyncio.timeout(WAIT_SECONDS):
        while not true():  # noqa: ASYNC110 - several things at a time are looked at
            await asyncio.sleep(0.02)


def processors(worker, topic):
    """The worker's processors by partition."""
    partitions = (TopicPartition(topic, number) for number in range(PARTITIONS))
    return {tp: one for tp in partitions if (one := worker.partitions.get(tp)) is not None}


async def answered_once(kafka, topics, count):
    records = await read_outputs(kafka, topics, count)
    assert len({source_of(record, topics) for record in records}) == len(records) == count


@MODES
async def test_partitions_that_stay_keep_their_processors(kafka, topics, tmp_path, mode):
    settings = pipeline_settings(kafka, topics.prefix, worker={"transactions": mode})
    classifier = tiny_classifier(tmp_path)
    async with running_worker(settings, classifier) as one:
        await until(lambda: len(processors(one, topics.incoming)) == PARTITIONS)
        before = processors(one, topics.incoming)
        await send(kafka, topics.incoming, reviews(0, 40))
        # A partition's first transaction is its own: refused in an old generation, it is begun anew.
        await answered_once(kafka, topics, 40)
        async with running_worker(settings, classifier) as two:
            await until(lambda: len(processors(two, topics.incoming)) == PARTITIONS / 2)
            kept = processors(one, topics.incoming)
            assert len(kept) == PARTITIONS / 2
            assert all(kept[tp] is before[tp] for tp in kept)
            await send(kafka, topics.incoming, reviews(40, 40))
            await answered_once(kafka, topics, 80)
        await until(lambda: len(processors(one, topics.incoming)) == PARTITIONS)
        assert all(processors(one, topics.incoming)[tp] is kept[tp] for tp in kept)
        assert {processor.epoch for processor in kept.values()} == {0}  # none began again
        await send(kafka, topics.incoming, reviews(80, 40))
        await answered_once(kafka, topics, 120)


class Hesitating(ConsumerRebalanceListener):
    """Does not give up its partitions until it is allowed to."""

    def __init__(self):
        self.has = set()
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    async def on_partitions_assigned(self, assigned):
        self.has |= assigned

    async def on_partitions_revoked(self, revoked):
        self.asked.set()
        await self.may.wait()
        self.has -= revoked


@contextlib.asynccontextmanager
async def bare_member(settings, listener):
    """A member of the workers' group that answers nothing."""
    consumer = group_consumer(member_options(settings))
    await consumer.start()
    consumer.subscribe([settings.topic_names.incoming], listener=listener)
    try:
        yield consumer
    finally:
        listener.may.set()
        await consumer.stop()


@MODES
async def test_others_go_on_while_a_member_is_slow_to_give_up(kafka, topics, tmp_path, mode):
    settings = pipeline_settings(
        kafka, topics.prefix, worker={"transactions": mode, "session_timeout_ms": 30_000}
    )
    slow, others = Hesitating(), (Hesitating(), Hesitating())
    for other in others:
        other.may.set()
    async with running_worker(settings, tiny_classifier(tmp_path)) as worker:
        await until(lambda: len(processors(worker, topics.incoming)) == PARTITIONS)
        async with contextlib.AsyncExitStack() as members:
            await members.enter_async_context(bare_member(settings, slow))
            await until(lambda: len(slow.has) == 2)
            for other in others:
                await members.enter_async_context(bare_member(settings, other))
            await asyncio.wait_for(slow.asked.wait(), WAIT_SECONDS)
            await until(lambda: len(processors(worker, topics.incoming)) == 1)
            # The group deals anew and waits for one member; the worker has joined, and works.
            ((tp, processor),) = processors(worker, topics.incoming).items()
            producer = AIOKafkaProducer(bootstrap_servers=kafka)
            await producer.start()
            for key, value in reviews(0, 3):
                await producer.send_and_wait(tp.topic, value, key, partition=tp.partition)
            await producer.stop()
            await answered_once(kafka, topics, 3)
            assert not slow.may.is_set()
            assert processors(worker, topics.incoming) == {tp: processor}
            assert processor.epoch == 0


async def test_a_group_with_a_member_that_knows_only_the_eager_protocol_answers_all_once(
    kafka, topics, tmp_path
):
    settings = pipeline_settings(kafka, topics.prefix)
    async with running_worker(settings, tiny_classifier(tmp_path)) as worker:
        await send(kafka, topics.incoming, reviews(0, 40))
        await until(lambda: len(processors(worker, topics.incoming)) == PARTITIONS)
        former = AIOKafkaConsumer(
            topics.incoming,
            bootstrap_servers=kafka,
            group_id=settings.worker.group,
            enable_auto_commit=False,
            heartbeat_interval_ms=500,
        )
        await former.start()
        await until(lambda: len(processors(worker, topics.incoming)) == PARTITIONS / 2)
        assert len(former.assignment()) == PARTITIONS / 2
        await send(kafka, topics.incoming, reviews(40, 40))
        await former.stop()
        await until(lambda: len(processors(worker, topics.incoming)) == PARTITIONS)
        await answered_once(kafka, topics, 80)
        # From here on nobody needs the eager one.
        before = processors(worker, topics.incoming)
        async with bare_member(settings, Hesitating()) as member:
            await until(lambda: len(member.assignment()) == PARTITIONS / 2)
            kept = processors(worker, topics.incoming)
            assert len(kept) == PARTITIONS / 2
            assert all(kept[tp] is before[tp] for tp in kept)


@MODES
async def test_a_member_that_was_thrown_out_gives_up_all_and_comes_back(
    kafka, topics, tmp_path, mode
):
    settings = pipeline_settings(kafka, topics.prefix, worker={"transactions": mode})
    async with running_worker(settings, tiny_classifier(tmp_path)) as worker:
        await send(kafka, topics.incoming, reviews(0, 40))
        await until(lambda: len(processors(worker, topics.incoming)) == PARTITIONS)
        before = processors(worker, topics.incoming)
        coordinator = coordinator_of(worker.partitions._consumer)
        await ask_coordinator(
            coordinator, LeaveGroupRequest(settings.worker.group, coordinator.member_id)
        )
        await send(kafka, topics.incoming, reviews(40, 40))
        await until(lambda: set(processors(worker, topics.incoming)) == set(before))
        await until(
            lambda: all(
                processors(worker, topics.incoming).get(tp) is not before[tp] for tp in before
            )
        )
        await answered_once(kafka, topics, 80)
