"""A worker with a name of its own restarts: the others' partitions stay where they are."""

import pytest
import structlog

from tests.support.pipeline import (
    pipeline_settings,
    read_outputs,
    running_worker,
    send,
    source_of,
)
from tests.support.tiny_model import tiny_classifier

pytestmark = pytest.mark.kafka


def reviews(first, count):
    row = '{"review_id": "r%d", "text": "чайник номер %d"}'
    return [(b"k%d" % n, (row % (n, n)).encode()) for n in range(first, first + count)]


async def test_the_restart_of_a_static_member_takes_nobodys_partitions(kafka, topics, tmp_path):
    def named(name):
        # A busy machine may need seconds for a restart.
        worker = {"instance": name, "session_timeout_ms": 30_000}
        return pipeline_settings(kafka, topics.prefix, worker=worker)

    classifier = tiny_classifier(tmp_path)
    async with running_worker(named("one"), classifier):
        async with running_worker(named("two"), classifier):
            await send(kafka, topics.incoming, reviews(0, 40))
            await read_outputs(kafka, topics, 40)
        with structlog.testing.capture_logs() as logs:
            async with running_worker(named("two"), classifier):
                await send(kafka, topics.incoming, reviews(40, 40))
                records = await read_outputs(kafka, topics, 80)
                seen = [log["event"] for log in logs]
    assert "revoked" not in seen
    assert "assigned" in seen
    assert len({source_of(record, topics) for record in records}) == len(records) == 80
