"""Redis as other people run it: old, behind a proxy, full, evicting, a replica, a cluster, with sentinels."""

import asyncio
import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
import redis
import structlog

from deploy.local import LocalRedis
from deploy.local.ports import free_ports
from schemas import category_count
from stream.cli.checks import _queue, _redis
from stream.redis.connection import connect
from stream.settings import load_settings
from stream.worker.cache import CachedPrediction, PredictionCache
from stream.worker.metrics import WorkerMetrics
from tests.faults.redis_proxy import Mode, RedisProxy
from tests.support.pipeline import WAIT_SECONDS
from tests.support.redis_servers import redis_on_port, sentinel_on_port

VERSION, PRINT = "a" * 16, "b" * 32
EVERYBODY = ("user default on nopass ~* &* +@all",)
OTHERS = [Path(path) for path in os.environ.get("REVIEWS_TEST_REDIS", "").split(":") if path]
"""Servers of other versions that a run is told of: paths of programs."""


def settings_of(url, **cache):
    return load_settings(cache={"url": url, "key": "a key of this test", "timeout": 5.0, **cache})


def prediction():
    return CachedPrediction(np.full(category_count(), 1 / category_count(), np.float32), 5, 0)


@contextlib.asynccontextmanager
async def cache_at(url, **cache):
    opened = PredictionCache(settings_of(url, **cache).cache, WorkerMetrics())
    try:
        yield opened
    finally:
        await opened.close()


async def keeps(url):
    """Return whether a cache at this address gives back what it was given."""
    async with cache_at(url) as cache:
        await cache.put(VERSION, {PRINT: prediction()})
        return PRINT in await cache.get(VERSION, [PRINT])


async def until(condition):
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - a server has to be asked
            await asyncio.sleep(0.05)


async def findings(url):
    settings = settings_of(url)
    return {f.name: f for f in [*await _redis(settings), *await _queue(settings)]}


async def test_a_proxy_that_knows_only_the_old_protocol_serves_cache_and_queue(redis_server):
    async with RedisProxy(redis_server.socket) as proxy:
        await proxy.become(Mode.OLD)
        assert await keeps(proxy.url)
        found = await findings(proxy.url)
    assert {finding.state for finding in found.values()} == {"ok"}


@pytest.mark.parametrize("server", OTHERS, ids=str)
async def test_another_version_serves_cache_and_queue(server, tmp_path):
    (port,) = free_ports(1)
    url = f"redis://127.0.0.1:{port}/0"
    with redis_on_port(tmp_path, port, server=server):
        assert await keeps(url)
        found = await findings(url)
    assert {finding.state for finding in found.values()} == {"ok"}


async def test_a_full_redis_still_answers_and_the_log_says_that_it_is_full(tmp_path):
    with LocalRedis(tmp_path / "redis", ("--maxmemory", "100kb"), users=EVERYBODY) as server:
        async with cache_at(server.url, breaker_failures=1) as cache:
            with structlog.testing.capture_logs() as logs:
                await cache.put(VERSION, {PRINT: prediction()})
                misses = await cache.get(VERSION, [PRINT])
        found = await findings(server.url)
    assert misses == {}
    assert [(log["event"], "is full" in log["reason"]) for log in logs] == [
        ("cache_not_written", True)
    ]
    assert "is full" in found["redis"].detail
    assert "is full" in found["queue"].detail


async def test_a_redis_that_cannot_save_is_recognised(tmp_path):
    arguments = ("--stop-writes-on-bgsave-error", "yes", "--save", "3600 1")
    with LocalRedis(tmp_path / "redis", arguments, users=EVERYBODY) as server:
        # A folder stands where the snapshot is to be written.
        (tmp_path / "redis" / "dump.rdb" / "taken").mkdir(parents=True)
        with redis.Redis.from_url(server.url) as client:
            client.bgsave()
            await until(lambda: client.info("persistence")["rdb_last_bgsave_status"] != "ok")
        found = await findings(server.url)
        server.kill()
    assert "cannot save" in found["redis"].detail
    assert "cannot save" in found["queue"].detail


async def test_a_replica_is_recognised_and_its_connections_are_not_kept(tmp_path):
    with LocalRedis(tmp_path / "redis", users=EVERYBODY) as server:
        client = connect(server.url, seconds=5.0)
        before = await client.client_id()
        # As a fail-over does: this one becomes a replica of the next.
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")
        found = await findings(server.url)
        with pytest.raises(Exception, match="read only"):
            await client.set("reviews:test", "1")
        after = await client.client_id()
        await client.aclose()
    assert "read-only replica" in found["redis"].detail
    assert "read-only replica" in found["queue"].detail
    assert after != before


async def test_a_cluster_is_refused_clearly_and_the_cache_fails_open(tmp_path):
    (port,) = free_ports(1)
    url = f"redis://127.0.0.1:{port}/0"
    # The bus of a cluster listens 10,000 above unless it is told where.
    (bus,) = free_ports(1)
    arguments = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
    with redis_on_port(tmp_path, port, arguments) as client:
        without_slots = await findings(url)
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        await until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        found = await findings(url)
        async with cache_at(url, breaker_failures=1) as cache:
            with structlog.testing.capture_logs() as logs:
                missing = await cache.get(VERSION, [PRINT, "c" * 32])
    assert missing == {}
    assert ["is a cluster" in log["reason"] for log in logs] == [True]
    assert "is a cluster" in without_slots["redis"].detail
    assert "is a cluster" in found["redis"].detail


async def test_an_evicting_redis_is_no_place_for_the_queue(tmp_path):
    arguments = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with LocalRedis(tmp_path / "redis", arguments) as server:
        found = await findings(server.url)
    assert (found["redis"].state, found["queue"].state) == ("ok", "warning")
    assert "noeviction" in found["queue"].remedy


@pytest.mark.timeout(360)
async def test_sentinels_lead_to_the_primary_also_after_a_fail_over(tmp_path):
    first, second, watch = free_ports(3)
    url = f"redis+sentinel://127.0.0.1:{watch}/reviews/0"
    follower = ("--replicaof", f"127.0.0.1 {first}", "--repl-diskless-sync-delay", "0")
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(redis_on_port(tmp_path / "a", first))
        replica = stack.enter_context(redis_on_port(tmp_path / "b", second, follower))
        sentinel = stack.enter_context(sentinel_on_port(tmp_path / "s", watch, "reviews", first))
        await until(lambda: sentinel.sentinel_slaves("reviews"))
        async with cache_at(url) as cache:
            await cache.put(VERSION, {PRINT: prediction()})
            assert await cache.get(VERSION, [PRINT])
            await until(lambda: primary.wait(1, 1000))
            sentinel.execute_command("SENTINEL", "FAILOVER", "reviews")
            await until(lambda: replica.info("replication")["role"] == "master")
            # Writes meet the old primary until the sentinel has made a replica of it. That is a matter of
            # seconds, or of most of a minute where it was held up: it then does nothing for half of one.
            async with asyncio.timeout(4 * WAIT_SECONDS):
                while replica.dbsize() < 2:
                    await cache.put(VERSION, {"c" * 32: prediction()})
                    await asyncio.sleep(0.1)
            assert await cache.get(VERSION, [PRINT])
