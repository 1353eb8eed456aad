"""Positions are committed only when every change that they stand for is on the broker."""

import asyncio

import faust
import pytest
from faust.exceptions import ProducerSendError

from stream.monitor.broker import CommittedTransport


class Handed:
    """Stands for aiokafka's producer: takes a message when it is let, and acknowledges when told."""

    def __init__(self):
        self.taken = asyncio.Event()
        self.acknowledgement = asyncio.get_running_loop().create_future()

    async def send(self, *_args, **_options):
        await self.taken.wait()
        return self.acknowledgement

    async def flush(self):
        if self.taken.is_set():  # what it has not taken, it knows nothing of
            await asyncio.wait({self.acknowledgement})


@pytest.fixture
async def producer(monkeypatch):
    app = faust.App("flushing", broker="kafka://127.0.0.1:1", store="memory://")
    made = CommittedTransport(app.conf.broker_producer, app).create_producer()
    made._producer = Handed()
    monkeypatch.setattr(made.buffer, "_send_pending", lambda change: made.send("changes", *change))
    await made.buffer.start()
    yield made
    await made.buffer.stop()


async def is_still_flushing(flushing):
    """Tell whether it has not ended though the loop had nothing else to do."""
    done, _ = await asyncio.wait({flushing}, timeout=0.3)
    return not done


def put(producer):
    producer.buffer.put((b"key", b"value", None, None, None))


async def test_a_change_that_aiokafka_has_not_taken_yet_is_waited_for(producer):
    put(producer)
    flushing = asyncio.create_task(producer.flush())
    assert await is_still_flushing(flushing)
    assert producer.unacknowledged == 1
    producer._producer.taken.set()
    assert await is_still_flushing(flushing)
    producer._producer.acknowledgement.set_result(None)
    await asyncio.wait_for(flushing, 10)


async def test_a_change_that_comes_while_others_are_acknowledged_is_no_lost_one(producer):
    put(producer)
    producer._producer.taken.set()
    flushing = asyncio.create_task(producer.flush())
    assert await is_still_flushing(flushing)
    producer._producer.taken.clear()
    put(producer)
    assert await is_still_flushing(flushing)
    producer._producer.acknowledgement.set_result(None)
    await asyncio.wait_for(flushing, 10)
    assert producer.unacknowledged == 1


async def test_a_change_that_was_not_written_commits_nothing_any_more(producer):
    producer._producer.taken.set()
    producer._producer.acknowledgement.set_exception(TimeoutError("too late"))
    put(producer)
    for _ in range(2):
        with pytest.raises(ProducerSendError):
            await producer.flush()


async def test_nor_does_one_whose_sending_was_given_up(producer):
    sending = asyncio.create_task(producer.send("changes", b"key", b"value", None, None, None))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait({sending})
    with pytest.raises(ProducerSendError):
        await producer.flush()
