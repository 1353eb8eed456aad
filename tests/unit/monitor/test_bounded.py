"""Waiting for what may never end, and does not always end when it is cancelled."""

import asyncio

import pytest

from stream.monitor.bounded import Stopped, Until, ended_within, first_of


class Stubborn:
    """Ignores cancellations, as Faust's services do, until it is let go."""

    def __init__(self):
        self.cancelled = 0
        self.began = asyncio.Event()
        self.let_go = asyncio.Event()

    async def wait(self):
        self.began.set()
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1


@pytest.fixture
async def stubborn():
    found = Stubborn()
    yield found
    found.let_go.set()


async def returned(value):
    await asyncio.sleep(0)
    return value


async def failed():
    await asyncio.sleep(0)
    raise ValueError("out of order")


async def test_what_ends_in_time_has_ended():
    assert await ended_within(60, returned(1))


async def test_what_it_raised_is_raised():
    with pytest.raises(ValueError, match="out of order"):
        await ended_within(60, failed())


async def test_what_does_not_even_end_when_it_is_cancelled_is_left_behind(stubborn):
    assert not await ended_within(0.01, stubborn.wait())
    await asyncio.sleep(0)
    assert stubborn.cancelled == 1


async def test_until_it_is_told_to_stop_it_returns_what_the_work_returns():
    assert await Until(asyncio.Event()).stopped_or(returned(7)) == 7


async def test_told_to_stop_it_leaves_the_work_behind(stubborn):
    stop = asyncio.Event()
    waiting = asyncio.create_task(Until(stop).stopped_or(stubborn.wait()))
    await stubborn.began.wait()
    stop.set()
    with pytest.raises(Stopped):
        await waiting
    assert stubborn.cancelled == 1


async def test_the_first_to_end_ends_the_others():
    forever = asyncio.Event()
    with pytest.raises(ValueError, match="out of order"):
        await first_of(forever.wait(), failed())
