"""A worker that could not learn what it must know before it publishes does not publish."""

import asyncio

import pytest

from stream.worker.app import unless_stopped


async def failing():
    raise OSError("the topic cannot be read")


async def test_what_goes_wrong_while_catching_up_is_not_passed_over():
    with pytest.raises(OSError, match="cannot be read"):
        await unless_stopped(failing(), asyncio.Event())


async def test_a_stop_ends_catching_up():
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(10):
        await unless_stopped(asyncio.Event().wait(), stop)
