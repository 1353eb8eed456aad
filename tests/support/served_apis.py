"""The queue's and the monitor's HTTP interfaces as a property-based tester asks them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.queue.accounts import Accounts
from stream.settings import MonitorSettings
from tests.support.pipeline import create_topics
from tests.support.queue import add_people, queue_settings, running_queue, send_tasks, task
from tests.support.watched_pipeline import watched_engine


@dataclass(frozen=True)
class QueueApi:
    """A queue that is being served."""

    url: str
    """Where the API's paths begin."""
    program: dict[str, str]
    """Headers of the lead's program."""


@contextlib.asynccontextmanager
async def queue_api(
    kafka: str, prefix: str, redis_url: str, folder: Path, *, reviews: int
) -> AsyncIterator[QueueApi]:
    """Serve a queue of its own on a real broker, which refuses nobody for asking often.

    Args:
        kafka: bootstrap servers.
        prefix: of topics that nobody else uses; they are created.
        redis_url: of the working set.
        folder: for the accounts.
        reviews: how many wait.
    """
    settings = queue_settings(kafka, prefix, redis_url, folder, requests_per_minute=10**9)
    await create_topics(kafka, settings.topic_names)
    add_people(settings, "ann", lead=True)
    token = Accounts(settings.queue.accounts).issue_token("ann")
    await send_tasks(settings, [task(number) for number in range(reviews)])
    async with running_queue(settings) as queue:
        yield QueueApi(f"{queue.url}/api/v1", {"Authorization": f"Bearer {token}"})


def monitor_api() -> MonitorServer:
    """Return a monitor's server with a token, which has seen a stream."""
    engine = watched_engine()
    return MonitorServer(
        MonitorSettings(port=0, token="a-token-of-the-test"),
        engine,
        MonitorMetrics(engine).registry,
        lambda: {"state restored": True},
    )
