"""Ports on the loopback interface: nothing of ours listens anywhere else."""

from __future__ import annotations

import random
import socket
from typing import Final

from deploy.local.errors import LocalStackError, PortTaken

HOST: Final = "127.0.0.1"

# Below Linux's range for outgoing connections (from 32768). A port in that range can be taken by
# any client of this machine while a killed broker is down, and a client that keeps trying a dead
# loopback port of that range can even connect to itself.
_RANGE: Final = range(20_000, 32_000)
_TRIES: Final = 500
_CONNECT_SECONDS: Final = 0.5


def free_ports(count: int) -> list[int]:
    """Return distinct ports that nothing listens on now.

    Nothing reserves them: bind soon, and expect to be beaten to one now and then.

    Raises:
        LocalStackError: nearly every port of the range is taken.
    """
    found: list[int] = []
    for port in random.sample(_RANGE, _TRIES):
        if len(found) == count:
            return found
        if is_free(port):
            found.append(port)
    raise LocalStackError(
        f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}", "stop some servers"
    )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        # As servers do it: connections that linger after a former server are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int, server: str) -> None:
    """Check a port that somebody asked for.

    Raises:
        PortTaken: something listens there.
    """
    if not is_free(port):
        raise PortTaken(
            f"port {port}, meant for {server}, is taken by another process",
            f"stop that process (`ss -ltnp 'sport = :{port}'` names it) or choose another port",
        )


def answers(port: int) -> bool:
    """Tell whether something accepts connections on a loopback port.

    A server that hangs does too, as long as the kernel's backlog has room.
    """
    try:
        socket.create_connection((HOST, port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
