"""A queue that ends answers everybody whose decision is on its way, with the truth."""

import asyncio

import pytest

from stream.queue import publisher
from stream.queue.errors import NotSaved
from stream.queue.publisher import DecisionPublisher
from stream.settings import load_settings


class Publisher(DecisionPublisher):
    """Commits as told, and needs no Kafka."""

    def __init__(self, commit):
        super().__init__(load_settings())
        self._commit = commit
        self._task = asyncio.create_task(self._run())


async def deciding(made):
    answer = asyncio.create_task(made.publish(["an act"]))
    await asyncio.sleep(0.01)  # its transaction begins
    return answer


async def test_what_kafka_takes_soon_is_saved():
    async def commit(acts):
        await asyncio.sleep(0.05)
        return [f"place of {act}" for act in acts]

    made = Publisher(commit)
    answer = await deciding(made)
    async with asyncio.timeout(10):
        await made.stop()
        assert await answer == ["place of an act"]


async def test_of_what_kafka_does_not_answer_it_says_that_nothing_is_known(monkeypatch):
    monkeypatch.setattr(publisher, "_CLOSE_SECONDS", 0.05)
    made = Publisher(lambda _: asyncio.Event().wait())
    answer, later = await deciding(made), await deciding(made)
    async with asyncio.timeout(10):
        await made.stop()
        with pytest.raises(NotSaved, match="has not said whether"):
            await answer
        with pytest.raises(NotSaved, match="nothing was published"):
            await later
