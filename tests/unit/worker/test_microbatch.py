"""Micro-batches close on a budget; small ones keep a distance."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from stream.worker.microbatch import BatchQueue, MicroBatcher

NEVER = 3600.0


def batcher(max_cost=100, max_rows=10):
    return MicroBatcher[int](max_cost, max_rows, cost=lambda item: item)


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


async def test_taking_waits_for_the_first_item():
    queue = BatchQueue(batcher(), linger=NEVER)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await queue.put([1, 2])
    assert await taking == [1, 2]


async def test_a_full_buffer_holds_the_next_items_back():
    queue = BatchQueue(batcher(max_rows=2), linger=0.0)
    await queue.put([1, 2])
    putting = asyncio.create_task(queue.put([3]))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await queue.take() == [1, 2]
    await putting
    assert await queue.take() == [3]


async def test_what_comes_alone_does_not_wait():
    queue = BatchQueue(batcher(), linger=NEVER)
    await queue.put([1])
    assert await asyncio.wait_for(queue.take(), 1) == [1]


async def test_what_follows_is_gathered_until_the_linger_has_passed():
    queue = BatchQueue(batcher(), linger=0.05)
    await queue.put([1])
    await queue.take()
    await queue.put([2])
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    await queue.put([3])
    assert await taking == [2, 3]


async def test_a_full_batch_does_not_wait():
    queue = BatchQueue(batcher(max_rows=2), linger=NEVER)
    await queue.put([1])
    await queue.take()
    await queue.put([2, 3])
    assert await asyncio.wait_for(queue.take(), 1) == [2, 3]
