"""Starts those servers of a stack again that are down, where they were, and leaves the others alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.local.broker import Broker
from deploy.local.jars import DownloadProgress, JarCache
from deploy.local.java import Java
from deploy.local.kafka import START_SECONDS
from deploy.local.kafka_config import node_of
from deploy.local.ports import require_free
from deploy.local.process import end
from deploy.local.redis import LocalRedis
from deploy.local.state import ServerRecord, StackState

REDIS: Final = "redis"
_NO_PORT: Final = 0  # it listens on a socket in its folder


def broker_records(brokers: Sequence[Broker]) -> list[ServerRecord]:
    """Return what is written down about the brokers that run."""
    return [
        ServerRecord(b.node.name, b.id, b.port, b.node.internal_port, str(b.log))
        for b in brokers
        if b.id is not None
    ]


def redis_records(redis: LocalRedis) -> list[ServerRecord]:
    """Return what is written down about a Redis; nothing if it does not run."""
    if redis.id is None:
        return []
    return [ServerRecord(REDIS, redis.id, _NO_PORT, _NO_PORT, str(redis.log))]


def mend_redis(data_dir: Path, redis_args: Sequence[str]) -> None:
    """Start Redis again on its socket; one that hangs is ended first.

    Raises:
        LocalStackError: it cannot be started.
    """
    state = StackState.read(data_dir)
    if state is None:  # stopped meanwhile
        return
    _end(state, {REDIS})
    redis = LocalRedis(data_dir / REDIS, redis_args, attached=False)
    redis.start()
    _write(data_dir, replace(state, redis_url=redis.url), redis_records(redis))


def mend_brokers(
    data_dir: Path,
    names: Collection[str],
    jvm_flags: Sequence[str],
    on_download: DownloadProgress | None = None,
) -> None:
    """Start brokers again on their ports and data: who waits for them finds them. Await all.

    Raises:
        LocalStackError: one cannot be started, or its port was taken meanwhile. None of these
            brokers runs then.
    """
    state = StackState.read(data_dir)
    if state is None:  # stopped meanwhile
        return
    _end(state, names)
    folder = data_dir / "kafka"
    nodes = [node_of(folder / f"{name}.properties") for name in sorted(names)]
    for node in nodes:
        for port in (node.endpoints[0].port, node.internal_port, node.controller_port):
            require_free(port, node.name)
    java = Java.with_jars(JarCache().ensure(on_download))
    brokers = [Broker(node, folder, jvm_flags, attached=False) for node in nodes]
    try:
        for broker in brokers:
            broker.launch(java)
        # Written before they are ready: whoever is killed meanwhile leaves a trace.
        _write(data_dir, state, broker_records(brokers))
        for broker in brokers:
            broker.await_ready(START_SECONDS)
    except BaseException:
        for broker in brokers:
            broker.kill()
        raise


def _end(state: StackState, names: Collection[str]) -> None:
    """End what hangs of these servers."""
    records = [record for record in state.servers if record.name in names]
    end([found for record in records if (found := record.id.find())])


def _write(data_dir: Path, state: StackState, started: Sequence[ServerRecord]) -> None:
    new = {record.name: record for record in started}
    servers = tuple(new.get(record.name, record) for record in state.servers)
    replace(state, servers=servers).write(data_dir)
