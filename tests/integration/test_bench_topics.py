"""A benchmark on somebody's own broker leaves nothing behind."""

import asyncio

import pytest

from stream.bench.cluster import fresh_topics
from stream.bench.quiet import bench_quiet
from stream.bench.scaling import bench_backlog
from stream.kafka.topics import list_topics
from stream.settings import load_settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def settings(kafka):
    return load_settings(kafka={"bootstrap_servers": kafka}, cache={"url": ""})


async def _gone(settings, prefix):
    """Wait until the broker lists none of a benchmark's topics: it forgets them a bit later."""
    async with asyncio.timeout(60):
        # The broker tells nobody: it must be asked.
        while any(t.startswith(prefix) for t in await list_topics(settings.kafka)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_topics_of_a_benchmark_are_there_while_it_runs(settings):
    async with fresh_topics(settings, partitions=2) as ours:
        assert set(ours.topic_names.outputs()) <= await list_topics(settings.kafka)


async def test_topics_of_a_benchmark_that_fails_are_removed(settings):
    with pytest.raises(ZeroDivisionError):
        async with fresh_topics(settings) as ours:
            raise ZeroDivisionError
    await _gone(settings, ours.topics.prefix)


def test_a_benchmark_leaves_no_topic(settings, monkeypatch):
    monkeypatch.setattr("stream.bench.scaling._FREE_REVIEWS", 100)
    before = asyncio.run(list_topics(settings.kafka))
    bench_backlog(settings, ["чайник кипит", "сапоги жмут"], 1000)
    asyncio.run(_gone(settings, "bench-"))
    assert asyncio.run(list_topics(settings.kafka)) - before <= _OF_THE_BROKER


def test_a_quiet_worker_is_measured_from_its_start_to_its_last_review(settings):
    report = bench_quiet(settings, ["чайник кипит", "сапоги жмут"], rounds=1, seconds=4)
    start, idle, p50, p99 = (figure.median for figure in report.figures)
    assert 0 < start < 120
    assert 0 < idle < 1000, "it waits; a busy core would be a second a second"
    assert 0 < p50 <= p99


_OF_THE_BROKER = {"__consumer_offsets", "__transaction_state"}
"""Made by any broker at its first consumer and its first transaction."""
