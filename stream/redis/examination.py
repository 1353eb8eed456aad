"""What a Redis says of itself, and whether it does what we need: tried, not asked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis-py's own

from stream.redis.trouble import HANGS_UP

_TRIAL_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server tells; a proxy may tell nothing."""

    version: str
    """Name and version, or that it does not say."""
    evicts: bool
    """It throws keys without a time-out away when it is full."""


async def server_facts(redis: Redis) -> ServerFacts:
    """Ask a server what it is.

    Raises:
        RedisError, OSError: it does not answer, or lets nobody in.
    """
    await redis.ping()
    try:
        told: dict[str, Any] = await redis.info()
    except (ResponseError, ConnectionError):
        # A proxy that does not know INFO refuses it, or hangs up (twemproxy); it has answered just now.
        return ServerFacts("one that tells nothing of itself", evicts=False)
    # Valkey calls itself Redis 7.2 for the sake of old clients.
    name = "Valkey" if "valkey_version" in told else "Redis"
    number = told.get("valkey_version") or told.get("redis_version", "of some version")
    evicts = bool(told.get("maxmemory")) and str(told.get("maxmemory_policy", "")).startswith(
        "allkeys"
    )
    return ServerFacts(f"{name} {number}", evicts)


async def try_cache(redis: Redis, prefix: str) -> None:
    """Do what the cache does: write for a second, read two keys at once.

    Raises:
        RedisError, OSError: it cannot be used as a cache, and why.
    """
    keys = [f"{prefix}doctor:{secrets.token_hex(8)}" for _ in range(2)]
    await redis.mget(keys)
    await redis.set(keys[0], b"", px=_TRIAL_MS)


async def try_scripts(redis: Redis, prefix: str) -> None:
    """Do what the queue does: keep a script on the server, write with one, look through keys.

    Raises:
        RedisError, OSError: the queue cannot work with it, and why.
    """
    script = f"return redis.call('SET', KEYS[1] .. 'doctor', '', 'PX', {_TRIAL_MS})"
    try:
        await redis.script_load(script)
        answer: Any = redis.eval(script, 1, prefix)
        await answer
        await redis.scan(match=f"{prefix}doctor")
    except ConnectionError:
        await redis.ping()  # or it is gone
        raise ResponseError(HANGS_UP) from None
