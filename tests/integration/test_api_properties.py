"""Whatever is sent to the running queue and the running monitor, they answer as they are described."""

import importlib

import pytest

from tests.support.api_properties import document_of, examine
from tests.support.background import in_background
from tests.support.monitor_openapi import DOCUMENT
from tests.support.served_apis import monitor_api, queue_api

pytestmark = [
    # With the broker's start, and on a busy machine the imports.
    pytest.mark.timeout(600),
    # The servers, in a thread beside the tester's, draw random numbers.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]
# Of each kind of request for each operation: some seconds. `python -m tests.faults.fuzz_api` asks more.
EXAMPLES = 10


@pytest.fixture(autouse=True, scope="module")
def loaded():
    """Load the tester before a server does something in its thread.

    pytest parses the tester's modules as it imports them, and CPython 3.11 raises a SystemError when
    two threads make syntax trees at once (gh-106905).
    """
    importlib.import_module("schemathesis.specs.openapi.schemas")


@pytest.mark.kafka
def test_the_queue_answers_programs_and_nobody_as_its_document_says(
    kafka, topic_prefix, redis_url, tmp_path
):
    with in_background(queue_api(kafka, topic_prefix, redis_url, tmp_path, reviews=40)) as api:
        document = document_of(api.url)
        program = examine(document, api.url, EXAMPLES, api.program)
        nobody = examine(document, api.url, 3)
    assert program.faults == []
    assert nobody.faults == []
    succeeded = {label for label, status in program.answers if status < 300}
    assert {"POST /next", "GET /waiting", "GET /labels", "GET /history"} <= succeeded
    assert {status for _, status in nobody.answers} == {401}


def test_the_monitor_answers_as_it_is_described():
    with in_background(monitor_api()) as running:
        found = examine(DOCUMENT, running.url, EXAMPLES)
    assert found.faults == []
    assert {("GET /page/{name}", 404), ("POST /session", 403), ("GET /events", 401)} <= set(
        found.answers
    )
