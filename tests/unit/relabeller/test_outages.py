"""A relabeller waits for a broker that is away, unless it is to end."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from stream.errors import BrokerError
from stream.settings import load_settings
from tests.support.relabelling import word_decider
from tests.support.silent import silent_server
from training.relabeller import Relabeller, app


class Labels:
    """What is decided already, as long as the broker says so."""

    def __init__(self, *outages):
        self.outages = list(outages)

    async def refresh(self):
        if self.outages:
            raise self.outages.pop(0)


class SilentLabels:
    """The broker never says what is decided."""

    async def refresh(self):
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(app, "_POLL_MS", 1)
    monkeypatch.setattr(app, "_GRACE_SECONDS", 0.05)


@pytest.fixture
def relabeller(monkeypatch):
    def made(labels):
        monkeypatch.setattr(app, "DecidedReviews", lambda _: labels)
        return Relabeller(load_settings(label={"http_port": 0}), word_decider())

    return made


async def test_labels_are_asked_for_until_the_broker_is_back(relabeller):
    labels = Labels(KafkaTimeoutError(), KafkaTimeoutError())
    assert await relabeller(labels)._know_decided(asyncio.Event())
    assert not labels.outages


async def test_labels_that_may_not_be_read_end_it(relabeller):
    with pytest.raises(BrokerError, match="refused"):
        await relabeller(Labels(TopicAuthorizationFailedError()))._know_decided(asyncio.Event())


@pytest.mark.parametrize("labels", [SilentLabels(), Labels(KafkaTimeoutError())])
async def test_who_is_to_end_does_not_wait_for_the_broker(relabeller, labels):
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(10):
        assert not await relabeller(labels)._know_decided(stop)


async def test_who_is_to_end_reads_the_labels_once_more(relabeller):
    stop = asyncio.Event()
    stop.set()
    assert await relabeller(Labels())._know_decided(stop)


async def test_it_ends_while_it_waits_for_a_broker_that_says_nothing():
    stop = asyncio.Event()
    async with silent_server() as (address, asked), asyncio.timeout(10):
        settings = load_settings(kafka={"bootstrap_servers": address}, label={"http_port": 0})
        running = asyncio.create_task(Relabeller(settings, word_decider()).run(stop))
        await asked.wait()
        stop.set()
        await running
