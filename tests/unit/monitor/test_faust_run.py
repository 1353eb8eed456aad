"""How a run of a Faust application comes to its end, whether somebody ended it or not."""

import asyncio
import gc
from types import SimpleNamespace

import pytest

from stream.monitor.faust_run import FaustRun, RunCancelled


class App:
    """A Faust application whose start does as told, and that is stopped by nobody."""

    def __init__(self, start, stopped=asyncio.Event.wait):
        self.maybe_start = start
        self.stopped = stopped

    def finalize(self):
        pass

    async def wait_until_stopped(self):
        await self.stopped(asyncio.Event())


async def cancelled():
    raise asyncio.CancelledError


async def failed():
    raise OSError("no broker")


async def started():
    pass


@pytest.mark.parametrize(
    ("start", "error"),
    [(cancelled, RunCancelled), (failed, OSError)],
    ids=["cancelled", "failed"],
)
async def test_a_start_that_did_not_come_to_its_end_is_no_cancellation_of_whoever_waits(
    start, error
):
    run = await FaustRun(App(start)).__aenter__()
    with pytest.raises(error):
        await asyncio.wait_for(run.wait(), 30)


async def test_a_cancellation_of_faust_is_none_of_whoever_waits():
    run = await FaustRun(App(started, lambda _: cancelled())).__aenter__()
    with pytest.raises(RunCancelled):
        await asyncio.wait_for(run.wait(), 30)


async def done(*_):
    return True


async def test_a_start_that_fails_because_it_was_stopped_is_not_reported():
    reported, stopped = [], asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def starting():
        await stopped.wait()
        raise asyncio.InvalidStateError

    async def stop():
        stopped.set()

    app = App(starting)
    app.stop = stop
    app.consumer = SimpleNamespace(thread=SimpleNamespace(abandoned_within=done))
    app.producer = SimpleNamespace(abandon=done)
    async with asyncio.timeout(30), FaustRun(app):
        await asyncio.sleep(0)
    del app
    await asyncio.sleep(0)
    gc.collect()
    assert not reported
