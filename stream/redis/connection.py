"""Connections to Redis: one place for all addresses, servers and proxies that we take.

RESP2 always: redis-py opens with ``HELLO 3``, which Redis 5, Envoy and twemproxy do not know, and does
not fall back. Nor does it say who it is (``CLIENT SETINFO``): twemproxy hangs up on that.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import InvalidResponse, ReadOnlyError, RedisError

from stream.settings.fields import SENTINEL_SCHEMES

_SENTINEL_PORT: Final = 26379
_PLAIN: Final[dict[str, Any]] = {"protocol": 2, "driver_info": None}


def connect(
    url: str,
    authority: Path | None = None,
    *,
    seconds: float,
    connections: int | None = None,
    **options: Any,
) -> Redis:
    """Return a client. It connects when first used.

    Args:
        url: as the settings take it: ``redis://``, ``rediss://``, ``unix://``, or
            ``redis+sentinel://host:port,host:port/service/0`` with ``?sentinel_password=`` if needed.
        authority: PEM file of the authority to trust.
        seconds: to wait for a connection, and for each answer.
        connections: at most; who finds none waits for one. None: as many as are wanted.
        options: of redis-py's connections.
    """
    given: dict[str, Any] = {
        **_PLAIN,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        **({"ssl_ca_certs": str(authority)} if authority else {}),
        **options,
    }
    if urlsplit(url).scheme in SENTINEL_SCHEMES:
        return _by_sentinel(url, given)
    pool: ConnectionPool
    if connections is None:
        pool = ConnectionPool.from_url(url, **given)
    else:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=connections, timeout=seconds, **given
        )
    pool.connection_class = _renewed(pool.connection_class)
    return Redis.from_pool(pool)


def _by_sentinel(url: str, options: dict[str, Any]) -> Redis:
    """Return a client that asks sentinels for the primary, again whenever it must connect."""
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    tls: dict[str, Any] = {"ssl": True} if SENTINEL_SCHEMES[parts.scheme] else {}
    own = {key: value for key, value in options.items() if key.startswith(("socket_", "ssl_"))}
    asked = parse_qs(parts.query)
    for name in ("username", "password"):
        if value := asked.get(f"sentinel_{name}"):
            own[name] = value[0]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_host(host) for host in hosts.split(",")], sentinel_kwargs={**_PLAIN, **own, **tls}
    )
    return sentinel.master_for(  # type: ignore[no-any-return]  # redis-py leaves it untyped
        unquote(service),
        db=int(database or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        **options,
        **tls,
    )


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    return parts.hostname or "127.0.0.1", parts.port or _SENTINEL_PORT


class NoText(InvalidResponse):
    """Redis holds bytes where we keep texts."""


async def begin_afresh(redis: Redis) -> None:
    """Close all connections: one whose replies do not match its commands would answer others wrongly."""
    with contextlib.suppress(RedisError, OSError):
        await redis.connection_pool.disconnect()


def _renewed(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return connections that close at a reply of no text, and when their server has become a replica.

    After a fail-over a name leads to another server, but an open connection stays with the old one.
    redis-py closes it for sentinels alone.
    """

    class Renewed(kind):  # type: ignore[valid-type, misc]
        async def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return await super().read_response(*args, **kwargs)
            except ReadOnlyError:
                await self.disconnect()
                raise
            except UnicodeDecodeError as error:
                # redis-py leaves the replies behind it unread: they would answer the next caller.
                await self.disconnect()
                raise NoText(f"a value that is no text: {error}") from error

    return Renewed
