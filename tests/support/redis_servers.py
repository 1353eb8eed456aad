"""Servers of Redis as people have them: a cluster's node, a replica, one with sentinels."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis

from deploy.local.redis import redis_server

START_SECONDS = 60


@contextlib.contextmanager
def redis_on_port(
    folder: Path, port: int, arguments: Sequence[str] = (), server: Path | None = None
) -> Iterator[redis.Redis]:
    """Run a server on a port of this machine until the block ends; a client of it.

    Args:
        folder: its own.
        port: a free one.
        arguments: further ones of its command line.
        server: another program than the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(server or redis_server()), *("--port", str(port), "--bind", "127.0.0.1"),
        *("--dir", str(folder), "--save", ""), *arguments,
    ]  # fmt: skip
    with _running(command, folder, port) as client:
        yield client


@contextlib.contextmanager
def sentinel_on_port(folder: Path, port: int, service: str, primary: int) -> Iterator[redis.Redis]:
    """Run a sentinel that watches a primary, and is enough to fail over, until the block ends."""
    folder.mkdir(parents=True)
    config = folder / "sentinel.conf"
    config.write_text(
        f"sentinel monitor {service} 127.0.0.1 {primary} 1\n"
        f"sentinel down-after-milliseconds {service} 500\n"
        f"sentinel failover-timeout {service} 5000\n"
    )
    command = [
        *(str(redis_server()), str(config), "--sentinel"),
        *("--port", str(port), "--bind", "127.0.0.1"),
    ]
    with _running(command, folder, port) as client:
        yield client


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path, port: int) -> Iterator[redis.Redis]:
    """Run a server until the block ends; what it says goes to a file of the folder."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            with redis.Redis(port=port, protocol=2) as client:
                _until_it_answers(client, process)
                yield client
        finally:
            process.kill()
            process.wait()


def _until_it_answers(client: redis.Redis, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError):
            client.ping()
            return
        time.sleep(0.05)
    raise RuntimeError(f"no server: {process.args}")
