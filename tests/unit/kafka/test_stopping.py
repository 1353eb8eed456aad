"""What does not hear that it is to end, ends all the same."""

import asyncio
from types import SimpleNamespace

import pytest

from stream.kafka import stopping
from stream.kafka.stopping import (
    cancel_until_over,
    cancelled_surely,
    stop_producer,
    stop_surely,
)


@pytest.fixture(autouse=True)
def again_at_once(monkeypatch):
    monkeypatch.setattr(stopping, "CANCEL_AGAIN_SECONDS", 0.01)


async def deaf(times):
    """Take so many cancellations for somebody else's."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def begun(coroutine):
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    return task


def consumer_with(fetching, coordinating=None):
    closed = []

    async def close():
        closed.append(True)

    async def leave():
        left.append(True)

    left = []
    client = SimpleNamespace(_sync_task=None, _conns={}, close=close)
    fetcher = SimpleNamespace(_fetch_task=fetching, _pending_tasks=set())
    coordinator = SimpleNamespace(_coordination_task=coordinating, _maybe_leave_group=leave)
    return SimpleNamespace(
        _client=client, _fetcher=fetcher, _coordinator=coordinator, closed=closed, left=left
    )


async def cancelling_once(task):
    """Stop as aiokafka does."""
    task.cancel()
    await asyncio.wait([task])


async def test_tasks_that_miss_cancellations_are_cancelled_until_they_end():
    tasks = [await begun(deaf(times)) for times in (0, 1, 3)]
    async with asyncio.timeout(10):
        await cancel_until_over(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_work_that_misses_a_cancellation_ends_with_whoever_waits_for_it():
    waits = await begun(cancelled_surely(deaf(1)))
    await asyncio.sleep(0)  # the work begins
    waits.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([waits])
    assert waits.cancelled()


async def test_what_goes_wrong_in_it_is_raised():
    async def fails():
        raise LookupError

    with pytest.raises(LookupError):
        await cancelled_surely(fails())


async def test_a_consumer_whose_fetcher_missed_its_cancellation_stops():
    fetching = await begun(deaf(2))
    async with asyncio.timeout(10):
        await stop_surely(consumer_with(fetching), cancelling_once(fetching))
    assert fetching.cancelled()


async def test_what_a_stopping_consumer_still_works_at_is_not_cut_short():
    done, working = asyncio.Event(), asyncio.Event()

    async def work():
        working.set()
        await done.wait()
        return "to its end"

    fetching = await begun(work())
    stop = asyncio.create_task(
        stop_surely(consumer_with(fetching), asyncio.wait_for(asyncio.shield(fetching), None))
    )
    await working.wait()
    await asyncio.sleep(5 * stopping.CANCEL_AGAIN_SECONDS)
    done.set()
    await stop
    assert fetching.result() == "to its end"


async def test_a_stop_that_ends_with_the_cancellation_of_a_fetch_closes_the_connections():
    fetching = await begun(deaf(0))
    consumer = consumer_with(fetching)

    async def stop():
        fetching.cancel()
        await fetching

    await stop_surely(consumer, stop())
    assert consumer.closed


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(stopping, "_STOP_SECONDS", 0.05)
    monkeypatch.setattr(stopping, "_LEAVE_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_consumer_whose_coordinator_is_not_found_stops_and_leaves_its_group():
    coordinating = await begun(deaf(1))
    consumer = consumer_with(None, coordinating)
    async with asyncio.timeout(10):
        await stop_surely(consumer, asyncio.wait_for(asyncio.shield(coordinating), None))
    assert coordinating.cancelled()
    assert consumer.left
    assert consumer.closed


@pytest.mark.usefixtures("impatient")
async def test_a_group_that_does_not_answer_is_not_waited_for():
    consumer = consumer_with(None)
    consumer._coordinator._maybe_leave_group = asyncio.Event().wait
    async with asyncio.timeout(10):
        await stop_surely(consumer, asyncio.Event().wait())
    assert consumer.closed


async def test_a_stop_that_is_cancelled_closes_the_connections():
    fetching = await begun(deaf(2))
    consumer = consumer_with(fetching)
    stop = asyncio.create_task(stop_surely(consumer, asyncio.Event().wait()))
    await asyncio.sleep(0)
    stop.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([stop])
    assert stop.cancelled()
    assert fetching.cancelled()
    assert consumer.closed


async def test_what_goes_wrong_while_a_consumer_stops_is_told():
    async def stop():
        raise OSError("no way")

    with pytest.raises(OSError, match="no way"):
        await stop_surely(consumer_with(None), stop())


async def test_a_producer_whose_broker_takes_nothing_more_is_closed_without_it():
    closed = []

    async def close():
        closed.append(True)

    sending = await begun(deaf(2))
    producer = SimpleNamespace(
        stop=asyncio.Event().wait,
        client=SimpleNamespace(_conns={}, close=close),
        _sender=SimpleNamespace(sender_task=sending),
    )
    async with asyncio.timeout(10):
        await stop_producer(producer, 0.01)
    assert closed
    assert sending.cancelled()
