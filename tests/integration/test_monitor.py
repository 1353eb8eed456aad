"""The monitor on a real broker: summaries in, windows out, and a state that survives a restart."""

import asyncio
import contextlib
import time

import pytest
import pytest_asyncio
import structlog
from aiokafka import AIOKafkaProducer

from schemas import CategoryWindow, Label, ModelAnnouncement, TopicNames, decode, encode
from stream.errors import TopicMissing
from stream.kafka.topics import list_topics
from stream.monitor.service import Monitor
from stream.settings import KafkaSettings
from tests.support.pipeline import (
    WAIT_SECONDS,
    create_topics,
    pipeline_settings,
    read_topic,
    send,
)
from tests.support.queue import send_tasks, task
from tests.support.summaries import EPOCH, summary

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

# In the past as the broker's clock has it: events are judged by their own time.
BEGIN = EPOCH


@pytest_asyncio.fixture
async def names(kafka, topic_prefix):
    topics = TopicNames(topic_prefix)
    await create_topics(kafka, topics)
    return topics


def settings_of(kafka, names, **monitor):
    return pipeline_settings(
        kafka, names.prefix, monitor={"port": 0, "grace_seconds": 20, "idle_seconds": 1, **monitor}
    )


@contextlib.asynccontextmanager
async def running_monitor(settings):
    monitor, stop = Monitor(settings), asyncio.Event()
    task = asyncio.create_task(monitor.run(stop))
    try:
        await until(lambda: monitor.ready or task.done())
        yield monitor
    finally:
        stop.set()
        await asyncio.wait_for(task, WAIT_SECONDS)


async def until(condition):
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is awaited is spread over many objects
            await asyncio.sleep(0.05)


async def send_summaries(kafka, names, events, partition_key=b"w1"):
    """Publish in order to one partition: one worker's key."""
    await send(kafka, names.batches, [(partition_key, encode(event)) for event in events])


def reviews(monitor):
    return monitor.engine.history.total().reviews


async def windows_of(kafka, names, at_least):
    records = await read_topic(kafka, names.stats, at_least)
    return [decode(CategoryWindow, record.value) for record in records]


def minute(windows, minutes, category="clothing"):
    """Return what was finally said of one tumbling window."""
    start = BEGIN + 60 * minutes
    return [
        w
        for w in windows
        if w.final
        and w.category == category
        and (w.window_start.timestamp(), w.window_end.timestamp()) == (start, start + 60)
    ]


async def test_summaries_become_windows_by_category(kafka, names):
    events = [summary(BEGIN + seconds) for seconds in range(0, 180, 10)]
    await send_summaries(kafka, names, events)
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 120)
    (first,) = minute(await windows_of(kafka, names, 18), 0)
    assert (first.published, first.relabelled) == (48, 12)
    assert first.rate_per_second == pytest.approx(1.0)
    assert first.mean_confidence == pytest.approx(0.9)
    assert first.relabel_share == pytest.approx(0.2)
    assert first.decided_by == {"model": 48}


async def test_a_restart_keeps_the_sums_and_repeats_no_final_window(kafka, names):
    settings = settings_of(kafka, names)
    await send_summaries(kafka, names, [summary(BEGIN + s) for s in range(0, 100, 10)])
    async with running_monitor(settings) as monitor:
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 60)
        await until(lambda: reviews(monitor) == 100)
    await send_summaries(kafka, names, [summary(BEGIN + s) for s in range(100, 160, 10)])
    async with running_monitor(settings) as monitor:
        assert reviews(monitor) >= 100
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 120)
        # The summary of second 140 closes the window; that of second 150 is yet to come.
        await until(lambda: reviews(monitor) >= 160)
        assert reviews(monitor) == 160
    windows = await windows_of(kafka, names, 36)
    assert [w.published + w.relabelled for w in minute(windows, 0)] == [60]
    assert [w.published + w.relabelled for w in minute(windows, 1)] == [60]


async def test_disorder_within_the_grace_is_mended_and_what_is_later_is_only_counted(kafka, names):
    disordered = [0, 30, 10, 50, 20, 40]
    await send_summaries(kafka, names, [summary(BEGIN + s) for s in (*disordered, 100)])
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 60)
        await send_summaries(kafka, names, [summary(BEGIN + 5)])
        await until(lambda: reviews(monitor) == 80)
        assert monitor.engine.history.total().late == 10
    (first,) = minute(await windows_of(kafka, names, 9), 0)
    assert first.published + first.relabelled == 60


async def test_what_a_worker_aborted_is_not_counted(kafka, names):
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=names.prefix)
    await producer.start()
    try:
        with contextlib.suppress(RuntimeError):
            async with producer.transaction():
                await producer.send_and_wait(names.batches, encode(summary(BEGIN)), key=b"w1")
                raise RuntimeError("aborted")
        async with producer.transaction():
            await producer.send_and_wait(names.batches, encode(summary(BEGIN + 10)), key=b"w1")
    finally:
        await producer.stop()
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: reviews(monitor) > 0)
        assert monitor.engine.history.starts() == [BEGIN + 10]


async def test_decisions_of_people_shrink_the_backlog_and_are_in_the_windows(kafka, names):
    await send_summaries(kafka, names, [summary(BEGIN, relabelled=3), summary(BEGIN + 90)])
    label = Label(
        review_id="r1",
        text="кружка",
        category="clothing",
        decided_by="person",
        decided_at=summary(BEGIN).processed_at,
        labeller="anna",
        codebook_version="1",
        model_version="m1",
    )
    await send_tasks(settings_of(kafka, names), [task(1, "кружка"), task(2), task(3)])
    await send(kafka, names.labels, [(b"r1", encode(label))])
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: reviews(monitor) == 21 and monitor.engine.decisions.settled == 1)
        await until(lambda: monitor.engine.backlog == 2)
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 60)
    (first,) = minute(await windows_of(kafka, names, 9), 0)
    assert first.decided_by == {"model": 8, "person": 1}


async def test_announced_models_are_remembered(kafka, names, tmp_path):
    announcement = ModelAnnouncement(
        version="m2", location=str(tmp_path), manifest_digest="0" * 64, announced_by="test"
    )
    await send(kafka, names.models, [(b"serving", encode(announcement))])
    settings = settings_of(kafka, names)
    for _ in range(2):
        async with running_monitor(settings) as monitor:
            await until(lambda: monitor.engine.announcements.all)
            assert [a.announcement.version for a in monitor.engine.announcements.all] == ["m2"]


async def test_lag_and_silence_raise_alerts(kafka, names):
    await send(kafka, names.incoming, [(b"1", b"{}")] * 7)
    levels = {"alert_lag": (5, 1), "alert_hold_seconds": 0, "alert_silence_seconds": (0.5, 0.1)}
    async with running_monitor(settings_of(kafka, names, **levels)) as monitor:
        await until(lambda: len(monitor.engine.changes) == 2)
        assert {change.name for change in monitor.engine.changes} == {"lag", "silence"}
        assert monitor.engine.broker.lag == 7


async def test_nothing_is_left_in_the_working_folder(kafka, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with running_monitor(settings_of(kafka, names)):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_a_bad_event_is_left_out(kafka, names):
    await send(kafka, names.batches, [(b"w1", b"no json"), (b"w1", encode(summary(BEGIN)))])
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: reviews(monitor) == 10)


async def test_a_producer_that_does_not_know_its_topics_yet_asks_for_them(kafka, names):
    await send_summaries(kafka, names, [summary(BEGIN + s) for s in range(0, 100, 10)])
    async with running_monitor(settings_of(kafka, names)) as monitor:
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 60)
        # As in the first seconds of a topic at a busy broker.
        known = monitor.app.faust.producer._producer.client.cluster._partitions
        del known[next(name for name in monitor.app.changelogs() if "marks" in name)]
        await send_summaries(kafka, names, [summary(BEGIN + s) for s in range(100, 160, 10)])
        await until(lambda: monitor.engine.marks.get("tumbling") == BEGIN + 120)
        await until(lambda: reviews(monitor) == 160)


async def test_a_huge_compressed_message_is_passed_over_and_what_is_behind_it_counts(kafka, names):
    # 150 KB on the wire, 150 MB when they are read.
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, compression_type="gzip", max_request_size=200_000_000
    ) as producer:
        await producer.send_and_wait(names.batches, bytes(150_000_000), key=b"w1", partition=0)
        await producer.send_and_wait(names.batches, encode(summary(BEGIN)), key=b"w1", partition=0)
    with structlog.testing.capture_logs() as logs:
        async with running_monitor(settings_of(kafka, names)) as monitor:
            await until(lambda: reviews(monitor) == 10)
    (left_out,) = [line for line in logs if line["event"] == "event_left_out"]
    assert (left_out["position"], left_out["code"]) == (f"{names.batches}[0]@0", "too-large")


async def test_the_monitor_keeps_up_with_a_thousand_summaries(kafka, names):
    await send_summaries(kafka, names, [summary(BEGIN + i) for i in range(1000)])
    async with running_monitor(settings_of(kafka, names, publish=False)) as monitor:
        started = time.monotonic()
        await until(lambda: reviews(monitor) == 10_000)
    # 80 workers would publish as many in ten seconds; Faust took 1.6 thousand a second here.
    assert time.monotonic() - started < WAIT_SECONDS


async def test_where_there_is_no_pipeline_none_is_made(kafka, topic_prefix):
    """Of a misspelled prefix it would be a second one, with this machine's replication."""
    monitor = Monitor(pipeline_settings(kafka, topic_prefix, monitor={"port": 0}))
    with pytest.raises(TopicMissing, match=r"more do not exist"):
        await monitor.run(asyncio.Event())
    assert not [
        t
        for t in await list_topics(KafkaSettings(bootstrap_servers=kafka))
        if t.startswith(topic_prefix)
    ]
