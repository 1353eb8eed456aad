"""The queue's benchmark runs on a real Redis, with what a plain install brings."""

import pytest

from stream.queue.bench import bench
from tests.support.queue import queue_settings

pytestmark = pytest.mark.kafka


async def test_people_decide_and_nothing_is_left_behind(kafka, topic_prefix, redis_url, tmp_path):
    settings = queue_settings(kafka, topic_prefix, redis_url, tmp_path)
    report = await bench(settings, items=40, people=2, seconds=3.0, pause=0.0)
    assert {wait.name for wait in report.waits} == {"next", "decision"}
    assert all(wait.count for wait in report.waits)
