"""Whatever is sent to the running queue and the running monitor, they answer as they are described."""

import pytest

from stream.monitor.metrics import MonitorMetrics
from stream.monitor.web import MonitorServer
from stream.queue.accounts import Accounts
from stream.settings import MonitorSettings
from tests.support.api_properties import document_of, examine
from tests.support.background import in_background
from tests.support.monitor_openapi import DOCUMENT
from tests.support.queue import add_people, queue_settings, running_queue, send_tasks, task
from tests.support.watched_pipeline import watched_engine

pytestmark = [
    # With the broker's start, and on a busy machine the imports.
    pytest.mark.timeout(600),
    # The servers, in a thread beside the tester's, draw random numbers.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]
# Of each kind of request for each operation: some seconds. `python -m tests.faults.fuzz_api` asks more.
EXAMPLES = 10


@pytest.mark.kafka
async def test_the_queue_answers_programs_and_nobody_as_its_document_says(
    kafka, topics, topic_prefix, redis_url, tmp_path
):
    assert topics
    settings = queue_settings(
        kafka, topic_prefix, redis_url, tmp_path, requests_per_minute=1_000_000
    )
    add_people(settings, "ann", lead=True)
    token = Accounts(settings.queue.accounts).issue_token("ann")
    await send_tasks(settings, [task(number) for number in range(40)])
    with in_background(running_queue(settings)) as serving:
        base = f"{serving.url}/api/v1"
        document = document_of(base)
        program = examine(document, base, EXAMPLES, {"Authorization": f"Bearer {token}"})
        nobody = examine(document, base, 3)
    assert program.faults == []
    assert nobody.faults == []
    succeeded = {label for label, status in program.answers if status < 300}
    assert {"POST /next", "GET /waiting", "GET /labels", "GET /history"} <= succeeded
    assert {status for _, status in nobody.answers} == {401}


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
