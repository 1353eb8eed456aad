"""Readiness over HTTP: a partition that does not advance is named, and no more once it does."""

import asyncio
import threading

import aiohttp
import pytest

from schemas import Review, encode
from stream.kafka.topic_creation import create_topics
from tests.support.pipeline import (
    WAIT_SECONDS,
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka

GOOD = encode(Review(review_id="good", text="платье хорошее"))


class GatedGraph:
    """Inference that does not come back before the gate is opened."""

    device = "cpu"
    parallel_calls = 1

    def __init__(self, inner):
        self._inner, self.gate = inner, threading.Event()

    def run(self, *inputs):
        self.gate.wait(WAIT_SECONDS)
        return self._inner.run(*inputs)


async def readiness(port):
    url = f"http://127.0.0.1:{port}/readyz?verbose"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.text()


async def readiness_when(worker, status):
    async with asyncio.timeout(WAIT_SECONDS):
        while not worker.health.port:  # noqa: ASYNC110 - it listens first of all
            await asyncio.sleep(0.05)
        while (found := await readiness(worker.health.port))[0] != status:  # noqa: ASYNC110 - polled, as a probe does
            await asyncio.sleep(0.1)
    return found[1]


async def test_a_partition_that_stands_ends_readiness_and_says_where(kafka, topic_prefix, tmp_path):
    settings = pipeline_settings(kafka, topic_prefix, worker={"stall_seconds": 1.0})
    await create_topics(settings)
    topics = settings.topic_names
    classifier = tiny_classifier(tmp_path / "model")
    classifier.last._graph = graph = GatedGraph(classifier.last._graph)
    async with running_worker(settings, classifier) as worker:
        await readiness_when(worker, 200)
        await send(kafka, topics.incoming, [(b"k", GOOD)])
        text = await readiness_when(worker, 503)
        (line,) = (line for line in text.splitlines() if line.startswith("[-]"))
        assert line.startswith(f"[-] partitions advance: {topics.incoming}[")
        assert "at 0 for " in line
        graph.gate.set()
        await read_outputs(kafka, topics, 1)
        assert "[+] partitions advance\n" in await readiness_when(worker, 200)
