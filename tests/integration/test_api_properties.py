"""Whatever is sent to the running queue and the running monitor, they answer as they are described."""

import httpx
import pytest

from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.queue.accounts import Accounts
from stream.settings import MonitorSettings
from tests.support.api_properties import examine
from tests.support.background import in_background
from tests.support.monitor_openapi import DOCUMENT
from tests.support.queue import add_people, queue_settings, running_queue, send_tasks, task
from tests.support.watched_pipeline import watched_engine

# Of each kind of request for each operation: some seconds. `python -m tests.faults.fuzz_api` asks more.
EXAMPLES = 10


@pytest.fixture
def queue(kafka, topics, topic_prefix, redis_url, tmp_path):
    """A queue of forty reviews, and who leads there."""
    settings = queue_settings(
        kafka, topic_prefix, redis_url, tmp_path, requests_per_minute=1_000_000
    )
    add_people(settings, "ann", lead=True)

    async def filled():
        await send_tasks(settings, [task(number) for number in range(40)])

    with in_background(running_queue(settings)) as serving:
        yield serving, Accounts(settings.queue.accounts).issue_token("ann"), filled


def api_of(serving):
    base = f"{serving.url}/api/v1"
    return base, httpx.get(f"{base}/openapi.json").json()


@pytest.mark.kafka
async def test_the_queue_answers_a_program_as_its_document_says(queue):
    serving, token, filled = queue
    await filled()
    base, document = api_of(serving)
    found = examine(document, base, EXAMPLES, {"Authorization": f"Bearer {token}"})
    assert found.faults == []
    succeeded = {label for label, status in found.answers if status < 300}
    assert {"POST /next", "GET /waiting", "GET /labels", "GET /history"} <= succeeded


@pytest.mark.kafka
def test_the_queue_answers_nobody_as_its_document_says(queue):
    serving, _, _ = queue
    base, document = api_of(serving)
    found = examine(document, base, EXAMPLES)
    assert found.faults == []
    assert {status for _, status in found.answers} == {401}


def test_the_monitor_answers_as_it_is_described():
    engine = watched_engine()
    server = MonitorServer(
        MonitorSettings(port=0, token="a-token-of-the-test"),
        engine,
        MonitorMetrics(engine).registry,
        lambda: {"state restored": True},
    )
    with in_background(server) as running:
        found = examine(DOCUMENT, running.url, EXAMPLES)
    assert found.faults == []
    assert {("GET /page/{name}", 404), ("POST /session", 403), ("GET /events", 401)} <= set(
        found.answers
    )
