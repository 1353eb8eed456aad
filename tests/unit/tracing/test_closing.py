"""What is told to end sends off its last spans, and does not wait for a collector that says nothing."""

import asyncio
import threading

import pytest

from stream.tracing import spans
from stream.tracing.spans import Tracing


class Provider:
    """Sends spans off when it is told to."""

    def __init__(self, collector):
        self.collector = collector
        self.sent = False

    def get_tracer(self, _):
        return None

    def shutdown(self):
        self.collector.wait(30)
        self.sent = True


@pytest.fixture
def collector():
    answers = threading.Event()
    yield answers
    answers.set()


async def test_the_last_spans_are_sent_off(collector):
    collector.set()
    provider = Provider(collector)
    await Tracing(provider).close()
    assert provider.sent


async def test_a_collector_that_says_nothing_is_not_waited_for(collector, monkeypatch):
    monkeypatch.setattr(spans, "_CLOSE_SECONDS", 0.05)
    async with asyncio.timeout(10):
        await Tracing(Provider(collector)).close()
    # Nor does the process wait for it at its end.
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "last spans")
