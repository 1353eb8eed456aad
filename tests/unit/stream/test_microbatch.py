"""Micro-batches close on a budget, and wait only under load."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from stream.worker.microbatch import BatchQueue, MicroBatcher


def batcher(max_cost=100, max_rows=10, linger=0.005):
    return MicroBatcher[int](max_cost, max_rows, linger, cost=lambda item: item)


@given(st.lists(st.integers(min_value=1, max_value=150), max_size=60))
def test_items_leave_in_order_and_none_is_lost(items):
    buffer = batcher()
    buffer.add(items)
    taken = []
    while buffer:
        taken += buffer.take()
    assert taken == items


@given(st.lists(st.integers(min_value=1, max_value=150), min_size=1, max_size=60))
def test_a_batch_keeps_both_budgets_unless_it_is_a_single_item(items):
    buffer = batcher()
    buffer.add(items)
    while buffer:
        batch = buffer.take()
        assert len(batch) == 1 or (sum(batch) <= 100 and len(batch) <= 10)


def test_an_idle_worker_does_not_wait():
    buffer = batcher()
    for _ in range(20):
        buffer.add([1])
        buffer.take()
    # One of 10 rows is a fullness of 0.1: little load, little wait.
    assert buffer.linger <= 0.1 * 0.005 + 1e-9


def test_a_loaded_worker_waits_longer_than_an_idle_one():
    idle, loaded = batcher(), batcher()
    for _ in range(20):
        idle.add([1])
        idle.take()
        loaded.add([90])
        loaded.take()
    assert loaded.linger > idle.linger


async def test_taking_waits_for_the_first_item():
    queue = BatchQueue(batcher())
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await queue.put([1, 2])
    assert await taking == [1, 2]


async def test_a_full_buffer_holds_the_next_items_back():
    queue = BatchQueue(batcher(max_rows=2))
    await queue.put([1, 2])
    putting = asyncio.create_task(queue.put([3]))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await queue.take() == [1, 2]
    await putting
    assert await queue.take() == [3]
