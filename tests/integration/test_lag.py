"""Lag is what waits: no more for the ends of transactions, no less for somebody's open one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotCoordinatorForGroupError

from deploy.local import LocalKafka
from schemas import Review, encode
from stream.cli.checks import _lag
from stream.kafka.lag import LagProbe, worker_lag
from stream.kafka.topic_creation import create_topics
from stream.monitor.standing import BrokerView
from stream.operations.replay import DeadLetterReplay
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import pipeline_settings, read_outputs, running_worker, send
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

GOOD = encode(Review(review_id="good", text="платье хорошее"))
BAD = b"no review"
WAIT = 60


@pytest.fixture
async def settings(kafka, topic_prefix):
    made = pipeline_settings(kafka, topic_prefix)
    await create_topics(made)
    return made


def transactional(kafka, name):
    return AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=name)


async def lag_by_offsets(settings):
    """Ask as somebody who may not read the topic, as the monitor and other tools do."""
    async with LagProbe(settings) as probe:
        return await probe.ask()


async def no_lag(settings):
    async with asyncio.timeout(WAIT), LagProbe(settings) as probe:
        while any(partition.lag for partition in await probe.ask()):  # noqa: ASYNC110 - a broker tells nobody of a commit
            await asyncio.sleep(0.2)


async def test_after_a_replay_that_workers_have_answered_the_lag_is_nothing(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await send(kafka, topics.incoming, [(b"a", BAD), (b"b", BAD), (b"c", GOOD)])
    async with running_worker(settings, tiny_classifier(tmp_path / "model")) as worker:
        await read_outputs(kafka, topics, 3)
        assert (await DeadLetterReplay(settings).run()).replayed == 2
        await read_outputs(kafka, topics, 5)
        # The replay's transactions have ends of their own, which nobody ever answers.
        await no_lag(settings)
        told = [
            worker.metrics.registry.get_sample_value(
                "reviews_partition_lag", {"partition": str(partition)}
            )
            for partition in range(4)
        ]
        assert set(told) <= {0.0, None}
    assert sum(partition.lag for partition in await worker_lag(settings)) == 0


async def test_ends_of_transactions_are_no_reviews_though_no_worker_has_passed_them(
    kafka, settings
):
    topic = settings.topic_names.incoming
    async with transactional(kafka, topic) as producer:
        for commit in (True, False):
            await producer.begin_transaction()
            await producer.send(topic, GOOD, partition=0)
            await (producer.commit_transaction if commit else producer.abort_transaction)()
    # One review that is committed, one that is not, and two ends.
    assert [partition.lag for partition in await lag_by_offsets(settings)] == [4, 0, 0, 0]
    assert [partition.lag for partition in await worker_lag(settings)] == [1, 0, 0, 0]


async def test_a_worker_passes_ends_of_transactions_without_losing_a_review_among_them(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    async with (
        running_worker(settings, tiny_classifier(tmp_path / "model")),
        transactional(kafka, topics.incoming) as producer,
    ):
        for i in range(30):
            await producer.begin_transaction()
            await producer.send(topics.incoming, GOOD, partition=0)
            await (producer.abort_transaction if i % 3 == 2 else producer.commit_transaction)()
            if i % 10 == 9:  # long enough for the worker to find the topic quiet
                await no_lag(settings)
        assert len(await read_outputs(kafka, topics, 20)) == 20


async def test_somebody_elses_open_transaction_is_named_with_what_waits_behind_it(
    kafka, settings, tmp_path
):
    topic = settings.topic_names.incoming
    began = datetime.now(UTC)
    async with transactional(kafka, f"{topic}.foreign") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, GOOD, partition=2)
        async with AIOKafkaProducer(bootstrap_servers=kafka) as other:
            for _ in range(3):
                await other.send_and_wait(topic, GOOD, partition=2)
        lags = await worker_lag(settings)
        assert [partition.lag for partition in lags] == [0, 0, 4, 0]
        assert [partition.readable for partition in lags] == [0, 0, 0, 0]
        found = lags[2].transaction
        assert found.transactional_id == f"{topic}.foreign"
        assert abs(found.since - began) < timedelta(seconds=30)
        _, finding = _lag(settings, lags)
        assert (finding.name, finding.state) == ("transactions", "warning")
        for words in (f"{topic}[2]", f"{topic}.foreign", "4 events wait"):
            assert words in finding.detail
        view = BrokerView()
        view.answered(lags, 0, 100.0)
        assert (view.lag, view.silence(10_000.0, 0.0)) == (4, 0.0), "workers are not to blame"
        await producer.commit_transaction()
    lags = await worker_lag(settings)
    assert ([partition.readable for partition in lags], lags[2].transaction) == ([0, 0, 4, 0], None)


async def test_a_transaction_that_ends_by_the_next_look_is_not_named(kafka, settings):
    topic = settings.topic_names.incoming
    async with transactional(kafka, topic) as producer, LagProbe(settings) as probe:
        for _ in range(3):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, GOOD, partition=0)
            (first, *_others) = await probe.ask()
            assert first.held >= 1
            assert first.transaction is None
            await producer.commit_transaction()


async def test_while_the_groups_coordinator_moves_lag_is_not_taken_for_the_whole_topic(
    kafka, settings, tmp_path
):
    topics = settings.topic_names
    await send(kafka, topics.incoming, [(b"a", GOOD)] * 20)
    async with running_worker(settings, tiny_classifier(tmp_path / "model")):
        await read_outputs(kafka, topics, 20)
    async with LagProbe(settings) as probe:
        coordinator = probe._committed._coordinator
        ask, refusals = coordinator._send_req, 3

        async def moving(request):
            nonlocal refusals
            reply = await ask(request)
            if refusals:
                refusals -= 1
                # As OffsetFetch says it since version 2: an error of the group, and no partition.
                reply.topics, reply.error_code = [], NotCoordinatorForGroupError.errno
            return reply

        coordinator._send_req = moving
        assert sum(partition.lag for partition in await probe.ask()) == 0
        assert refusals == 0
        refusals = 10**9
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await probe.ask()


@pytest.mark.timeout(300)
async def test_with_the_coordinators_broker_killed_lag_is_right_or_unknown(tmp_path, topic_prefix):
    with LocalKafka(tmp_path / "kafka", brokers=3, jvm_flags=SHORT_LIVED) as cluster:
        settings = pipeline_settings(
            cluster.bootstrap_servers, topic_prefix, topics={"replication": 3}
        )
        await create_topics(settings)
        topics = settings.topic_names
        await send(cluster.bootstrap_servers, topics.incoming, [(b"a", GOOD)] * 20)
        async with running_worker(settings, tiny_classifier(tmp_path / "model")):
            await read_outputs(cluster.bootstrap_servers, topics, 20)
        async with LagProbe(settings) as probe:
            assert sum(partition.lag for partition in await probe.ask()) == 0
            coordinator = probe._committed._coordinator
            await coordinator.ensure_coordinator_known()
            cluster.kill(coordinator.coordinator_id - 1)  # brokers count from one
            told = []
            async with asyncio.timeout(WAIT):
                while len(told) < 3:
                    try:
                        told.append(sum(p.lag for p in await probe.ask()))
                    except Exception:  # noqa: BLE001 - unknown is a right answer
                        await asyncio.sleep(0.5)
            assert told == [0, 0, 0]
        # Nobody needs it any more, and without a quorum a graceful end takes all the time that it has.
        cluster.kill_all()
