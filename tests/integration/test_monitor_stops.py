"""The monitor ends within 15 seconds of being told to, whatever it is doing, and leaves nothing."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import faust
import mode
import pytest
from mode.threads import WorkerThread

from deploy.local import LocalKafka
from schemas import TopicNames, encode
from stream.monitor.service import Monitor
from tests.support.command_line import running as command
from tests.support.command_line import wait_for_line
from tests.support.java import SHORT_LIVED
from tests.support.pipeline import WAIT_SECONDS, create_topics, pipeline_settings, send
from tests.support.summaries import EPOCH, summary

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

# The promise; what bounds it, in stream/monitor/faust_run.py, adds up to two thirds of it.
END_SECONDS = 15


class Broker:
    """A broker of these tests' own, which is frozen and killed."""

    def __init__(self, server: LocalKafka) -> None:
        self.server = server

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.server.pids:
            os.kill(pid, number)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalKafka(tmp_path_factory.mktemp("kafka"), jvm_flags=SHORT_LIVED) as running:
        yield running


@pytest.fixture
def broker(server):
    """Return the broker, running."""
    if None in server.pids:
        server.restart()
    broker = Broker(server)
    yield broker
    if None not in server.pids:
        broker.thaw()


@pytest.fixture
async def settings(broker, topic_prefix):
    """Return settings of a monitor that has three hundred summaries to take in."""
    kafka, names = broker.server.bootstrap_servers, TopicNames(topic_prefix)
    await create_topics(kafka, names)
    await send_summaries(kafka, names, range(300))
    return pipeline_settings(
        kafka, topic_prefix, monitor={"port": 0, "grace_seconds": 20, "idle_seconds": 1}
    )


async def send_summaries(kafka, names, seconds):
    events = [(b"w1", encode(summary(EPOCH + second))) for second in seconds]
    await send(kafka, names.batches, events)


@contextlib.asynccontextmanager
async def running(monitor, *, alone=True):
    """Run a monitor, which ends within the promise and leaves nothing.

    Args:
        monitor: not run yet.
        alone: whether no other one runs in this process when it has ended.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(monitor.run(stop))
    try:
        yield
        assert not task.done(), "it ended by itself"
    except BaseException:
        if task.done() and not task.cancelled():
            task.result()  # why it ended by itself says more than what was missed then
        task.cancel()
        await asyncio.wait({task}, timeout=WAIT_SECONDS)
        raise
    began = time.monotonic()
    stop.set()
    await asyncio.wait({task}, timeout=WAIT_SECONDS)
    took = time.monotonic() - began
    assert task.done(), "it did not end"
    task.result()
    assert took < END_SECONDS
    if monitor.app is not None and monitor.app.faust._consumer is not None:
        thread = monitor.app.faust.consumer.thread
        assert (thread.alive, thread.thread_loop.is_closed()) == (False, True)
    if alone:
        assert_nothing_of_faust_left()


def assert_nothing_of_faust_left():
    """No thread and no task of Faust is left in this process."""
    assert [t for t in threading.enumerate() if isinstance(t, WorkerThread)] == []
    homes = tuple(str(Path(package.__file__).parent) for package in (faust, mode))
    tasks = [task.get_coro() for task in asyncio.all_tasks()]
    assert [c for c in tasks if c.cr_code.co_filename.startswith(homes)] == []


async def until(condition, seconds=WAIT_SECONDS, pause=0.01):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited is spread over many objects
            await asyncio.sleep(pause)


async def until_it_restores(monitor):
    """Wait until tables are being read back, which may be over before one looks a second time."""
    await until(lambda: monitor.app is not None)
    async with asyncio.timeout(WAIT_SECONDS):
        await monitor.app.faust.tables.recovery.signal_recovery_start.wait()
    await until(lambda: monitor.app.faust.in_recovery, pause=0)


def reading(monitor):
    """Tell whether Faust's consumer thread runs."""
    return monitor.app is not None and monitor.app.faust.consumer.thread.alive


MOMENTS = {
    "at once": lambda _: True,
    "when the page is there": lambda monitor: monitor.server.port != 0,
    "when faust begins": lambda monitor: monitor.app is not None,
    "when the thread starts": reading,
    "when partitions are assigned": lambda m: reading(m) and m.app.faust.rebalancing_count > 0,
    "when tables are registered": lambda m: (
        m.app is not None and m.app.faust.tables._tables_registered.is_set()
    ),
    "when all is ready": lambda monitor: monitor.ready,
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_it_ends_while_it_starts(settings, moment):
    monitor = Monitor(settings)
    async with running(monitor):
        await until(lambda: MOMENTS[moment](monitor))


async def test_it_ends_while_it_restores_its_tables(settings):
    first = Monitor(settings)
    async with running(first):
        await until(lambda: first.engine.history.total().reviews == 3000)
        await until(lambda: first.engine.marks.get("tumbling") is not None)
    second = Monitor(settings)
    async with running(second):
        await until_it_restores(second)
        assert not second.ready


async def test_it_ends_while_its_group_is_rebalanced(settings):
    first, second = Monitor(settings), Monitor(settings)
    async with contextlib.AsyncExitStack() as others, running(first, alone=False):
        await until(lambda: first.ready)
        # It joins the group, so that the first one has to give up what it has.
        await others.enter_async_context(running(second))
        # On a quick machine it may be over before anybody looks.
        await until(lambda: first.app.faust.rebalancing or second.ready)


async def test_it_ends_when_the_broker_went_before_it_began(broker, settings):
    broker.freeze()
    async with running(Monitor(settings)):
        pass


@pytest.mark.parametrize("moment", ["when faust begins", "when the thread starts"])
async def test_it_ends_when_the_broker_freezes_while_it_starts(broker, settings, moment):
    monitor = Monitor(settings)
    async with running(monitor):
        await until(lambda: MOMENTS[moment](monitor))
        broker.freeze()


async def test_it_ends_when_the_broker_freezes_while_it_restores_its_tables(broker, settings):
    first = Monitor(settings)
    async with running(first):
        await until(lambda: first.engine.marks.get("tumbling") is not None)
    second = Monitor(settings)
    async with running(second):
        await until_it_restores(second)
        broker.freeze()


async def test_it_ends_while_its_producer_waits_for_an_acknowledgement(broker, settings):
    kafka, names = broker.server.bootstrap_servers, settings.topic_names
    monitor = Monitor(settings)
    async with running(monitor):
        await until(lambda: monitor.engine.marks.get("tumbling") is not None)
        taken_in = monitor.engine.history.total().reviews
        await send_summaries(kafka, names, range(300, 900))
        # Its changes of tables are on their way when the broker stops answering.
        await until(lambda: monitor.engine.history.total().reviews > taken_in)
        broker.freeze()
        await until(lambda: monitor.app.faust.producer.unacknowledged > 0)
        await until(lambda: monitor.engine.broker.asked_at is None)
        assert monitor.app.faust.producer.unacknowledged > 0


@pytest.mark.timeout(400)
async def test_what_was_not_acknowledged_is_taken_in_again_and_counts_once(broker, settings):
    monitor = Monitor(settings)
    async with running(monitor):
        await until(lambda: monitor.engine.history.total().reviews > 0)
        broker.freeze()
    broker.thaw()
    again = Monitor(settings)
    async with running(again):
        # The broker holds the first one's place in the group until its session is over.
        counted = again.engine.history.total
        await until(lambda: again.ready and counted().reviews >= 3000, seconds=200)
        assert again.engine.history.total().reviews == 3000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_ends_when_the_broker_is_frozen(broker, settings, number):
    with command(
        "monitor",
        REVIEWS_KAFKA__BOOTSTRAP_SERVERS=broker.server.bootstrap_servers,
        REVIEWS_TOPICS__PREFIX=settings.topics.prefix,
        REVIEWS_MONITOR__PORT="0",
    ) as process:
        wait_for_line(process, "open once")
        broker.freeze()
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=WAIT_SECONDS)
    assert time.monotonic() - began < END_SECONDS
    assert "monitor_stopped" in said
    assert process.returncode == (130 if number == signal.SIGINT else 0)


async def test_it_ends_when_the_broker_has_gone(broker, settings):
    monitor = Monitor(settings)
    async with running(monitor):
        await until(lambda: monitor.ready)
        broker.server.kill()
        await until(lambda: monitor.engine.broker.asked_at is None)
