"""A real worker in a process of its own, started and stopped as an operator would."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import aiohttp

from stream.errors import ReviewsError

# Loading the model, joining the group and opening partitions: seconds. A minute means that it hangs.
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1
_LOG_TAIL_LINES: Final = 5


class WorkerProcess:
    """``reviews work`` as a child that drains and ends with us, however we end.

    Use as ``async with``: it is ready inside.

    Args:
        environment: ``REVIEWS_*`` variables that it gets besides our own.
        log: file for what it writes.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self.port = free_port()

    async def __aenter__(self) -> Self:
        """Start it and wait until it is ready.

        Raises:
            ReviewsError: it ended, or did not become ready in time.
        """
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "stream",
                "work",
                "--port",
                str(self.port),
                "--stop-at-eof",
                env={**os.environ, **self._environment},
                # We never write: the kernel closes it when we are gone, killed or not.
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches us alone; we then stop the worker in order.
                start_new_session=True,
            )
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def metrics_url(self) -> str:
        """Where Prometheus would scrape it."""
        return f"http://127.0.0.1:{self.port}/metrics"

    async def stop(self) -> int:
        """Ask it to drain and end; kill it only if it does not. Returns its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        # A loop that ends before asyncio has closed its side leaves a transport that complains of it.
        process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - nothing else does
        return process.returncode or 0

    def check_alive(self) -> None:
        """Make sure that it runs.

        Raises:
            ReviewsError: it ended; the message holds its last words.
        """
        if self._process is not None and self._process.returncode is not None:
            raise self._ended()

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while time.monotonic() < deadline:
                self.check_alive()
                try:
                    async with session.get(f"http://127.0.0.1:{self.port}/readyz") as response:
                        if response.ok:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass  # it does not listen yet
                await asyncio.sleep(_POLL_SECONDS)
        raise ReviewsError(
            f"the worker was not ready after {_READY_SECONDS:.0f} s", f"read {self.log}"
        )

    def _ended(self) -> ReviewsError:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        said = " / ".join(line.strip() for line in lines[-_LOG_TAIL_LINES:])
        return ReviewsError(f"the worker ended: {said or 'without a word'}", f"read {self.log}")


def free_port() -> int:
    """Return a port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
