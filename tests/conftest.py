"""Fixtures: one embedded Kafka and Redis for a whole test run, started when first asked for.

For everybody:

- ``kafka``: bootstrap servers (a string) of a real broker
- ``topic_prefix``: a prefix for topics, groups and transactional ids that no other test uses
- ``topics``: all topics of the contract under that prefix, created
- ``redis_url``: URL of a real Redis; its databases are empty at the start of each test
- ``redis_server``: the :class:`deploy.local.LocalRedis` for tests that need no Kafka. Nobody empties it:
  keep to keys below ``topic_prefix``

For tests of faults, which want servers of their own, take ``tmp_path`` and start a
:class:`deploy.local.LocalKafka` or :class:`deploy.local.LocalRedis` in it.

- ``stack``: the :class:`deploy.local.LocalStack` behind them. Shared: leave it running.
"""

from __future__ import annotations

import logging
import signal
import uuid

import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings

from deploy.local import LocalRedis, LocalStack
from schemas import TopicNames, active_taxonomy, using
from tests.support.java import SHORT_LIVED
from tests.support.optional_programs import NotTried
from tests.support.pipeline import create_topics
from tests.support.taxonomies import bank
from tests.support.watchdog import Watchdog

# A machine that is busy with something else is slow, and no test is wrong for that.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")


def pytest_configure(config) -> None:
    """Bound the run, and let the commands under test hear Ctrl-C, also started in the background.

    A shell makes what it starts with ``&`` ignore SIGINT, and a child inherits that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Watchdog(config), "watchdog")
    config.pluginmanager.register(NotTried(), "not-tried")


@pytest.fixture(autouse=True)
def logs_as_they_were():
    """Let no test's logs go to the captured, and soon closed, standard error of another."""
    handlers = logging.getLogger().handlers
    yield
    logging.getLogger().handlers = handlers
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with LocalStack(folder, jvm_flags=SHORT_LIVED, redis_args=("--save", "")) as running:
        yield running
        # Nobody needs what it holds: closing thousands of partitions would take it many seconds.
        running.kafka.kill_all()


@pytest.fixture(scope="session")
def kafka(stack):
    return stack.bootstrap_servers


@pytest.fixture
def redis_url(stack):
    with redis.Redis.from_url(stack.redis_url) as client:
        client.flushall()
    return stack.redis_url


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    with LocalRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def topic_prefix():
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def taxonomy(request, tmp_path):
    """The active taxonomy: the bundled one, or with ``both_taxonomies`` a stranger's as well."""
    if getattr(request, "param", "marketplace") == "marketplace":
        yield active_taxonomy()
        return
    with using(bank(tmp_path / "taxonomy", 12)) as active:
        yield active


@pytest.fixture
async def topics(kafka, topic_prefix, taxonomy):
    names = TopicNames(topic_prefix)
    await create_topics(kafka, names)
    return names
