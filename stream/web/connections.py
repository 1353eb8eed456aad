"""Connections of a web server, bounded in number and in patience, whatever server it is.

Neither uvicorn nor aiohttp waits a bounded time for a request's head, or for a client to read what it
asked for. So this stands between the transport and the server's own protocol, and hears from a
middleware when a request begins to be answered and when it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

Peer = tuple[str, int]
"""Address and port of a client: one connection at a time has them."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client may cost. Seconds and counts."""

    connections: int = 512
    """Open at once. A process may usually open 1,024 files, and some are Kafka's and Redis's."""
    head_seconds: float = 10.0
    """For the whole of a request's head: a phone in a tunnel needs two."""
    body_seconds: float = 20.0
    """For a body; a large one gets more, see :mod:`stream.web.bodies`."""
    unread_seconds: float = 30.0
    """For a client to read some of an answer that fills the socket's buffers."""
    strangers_bytes: int = 32 * 1024 * 1024
    """Of bodies that strangers are sending, together; small ones are not counted."""


USUAL: Final = ClientLimits()


class Connections:
    """All connections of one server.

    When there are too many, the one that has sent us nothing whole for the longest gives way to a new
    one: whoever holds connections open without asking anything keeps nobody else out.

    Args:
        limits: what a client may cost.
    """

    def __init__(self, limits: ClientLimits = USUAL) -> None:
        self.limits: Final = limits
        self._open: dict[Peer, _Watched] = {}
        # Those whose request has not come as a whole; they have waited longest that stand first.
        self._incomplete: dict[_Watched, None] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def watched(self, make: Callable[..., asyncio.Protocol]) -> type[asyncio.Protocol]:
        """Return what makes a server's protocols, with their connections watched.

        Args:
            make: makes the server's own protocol; takes whatever it is called with.
        """

        def made(*args: Any, **kwargs: Any) -> asyncio.Protocol:
            return _Watched(self, make(*args, **kwargs))

        return cast("type[asyncio.Protocol]", made)  # uvicorn only ever calls it

    @contextmanager
    def answering(self, peer: Sequence[Any] | None, *, body: bool) -> Iterator[Callable[[], None]]:
        """Mark a client's request as being answered until the block ends.

        Args:
            peer: address and port of the client.
            body: a body is still to come.

        Yields:
            To be called when the body has come.
        """
        connection = self._open.get(_peer(peer)) if peer else None
        if connection is None:
            yield lambda: None
            return
        connection.begin()

        def complete() -> None:
            self._incomplete.pop(connection, None)

        if not body:
            complete()
        try:
            yield complete
        finally:
            connection.end()
            if self._open.get(connection.peer) is connection:
                self._incomplete[connection] = None

    def admit(self, connection: _Watched) -> bool:
        """Take a new connection in; False: there is no room, and none that could give way."""
        if len(self._open) >= self.limits.connections:
            oldest = next(iter(self._incomplete), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.drop()
        self._open[connection.peer] = connection
        self._incomplete[connection] = None
        return True

    def forget(self, connection: _Watched) -> None:
        """Let a connection go that has ended."""
        self._incomplete.pop(connection, None)
        if self._open.get(connection.peer) is connection:
            del self._open[connection.peer]


class _Watched(asyncio.Protocol):
    """A server's protocol, and the clocks of its connection."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._answering = False
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._admitted = False
        self.peer: Peer = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.peer = _peer(transport.get_extra_info("peername"))
        self._admitted = self._connections.admit(self)
        if not self._admitted:
            self._transport.abort()
            return
        self._expect_head()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clocks()
        self._connections.forget(self)
        if self._admitted:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            return
        # Nothing but a new request's head may come now. The clock is not set again by more of it.
        if not self._answering and self._head is None:
            self._expect_head()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._admitted else None

    def pause_writing(self) -> None:
        self._unread = self._after(self._connections.limits.unread_seconds)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        self._inner.resume_writing()

    def begin(self) -> None:
        """A request's head has come."""
        self._answering = True
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def end(self) -> None:
        """The request is answered. For an idle connection the server has its own clock."""
        self._answering = False

    def drop(self) -> None:
        """End the connection at once."""
        self._stop_clocks()
        if self._transport is not None:
            self._transport.abort()

    def _expect_head(self) -> None:
        self._head = self._after(self._connections.limits.head_seconds)

    def _after(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self.drop)

    def _stop_clocks(self) -> None:
        for clock in (self._head, self._unread):
            if clock is not None:
                clock.cancel()


def _peer(address: Sequence[Any] | None) -> Peer:
    return (str(address[0]), int(address[1])) if address else ("", 0)
