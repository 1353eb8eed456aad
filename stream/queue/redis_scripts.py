"""Redis, and the Lua scripts that move the working set: each script is one atom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from schemas import TopicNames
from stream.redis import connection
from stream.settings import USUAL_REDIS, Settings

_FOLDER: Final = Path(__file__).parent / "scripts"
# What must go on when something is missing: forgetting, and giving back.
_REGARDLESS: Final = frozenset({"claim", "unclaim", "skip", "erase"})
_PARTS: Final = {
    "next": ("common", "next"),
    "claim": ("common", "claim"),
    "unclaim": ("common", "unclaim"),
    "take": ("common", "take"),
    "skip": ("common", "skip"),
    "search": ("common", "search"),
    "consume": ("common", "fold", "consume"),
    "settle": ("common", "fold", "settle"),
    "erase": ("common", "erase"),
}
# Twenty people with two requests each under way, and intake.
_CONNECTIONS: Final = 48
# Redis answers in under a millisecond; longer than this it is gone.
_TIMEOUT: Final = 5.0


def connect(settings: Settings) -> Redis:
    """Return a client of the queue's Redis. It connects when first used."""
    secret = settings.queue.redis_url or settings.cache.url
    url = secret.get_secret_value() if secret else USUAL_REDIS
    return connect_to(url, settings.cache.ssl_ca_file)


def connect_to(url: str, authority: Path | None) -> Redis:
    """Return a client of some Redis, patient enough for work that must not be left out."""
    return connection.connect(
        url,
        authority,
        seconds=_TIMEOUT,
        connections=_CONNECTIONS,
        decode_responses=True,
        # Whatever id a worker accepted must not stop the queue.
        encoding_errors="surrogatepass",
    )


class Scripts:
    """The scripts of one queue.

    Args:
        redis: a client that decodes responses.
        topics: names the queue: another prefix is another queue in the same Redis.
    """

    def __init__(self, redis: Redis, topics: TopicNames) -> None:
        self.redis = redis
        # The braces are Redis Cluster's hash tag: all keys of a queue share one slot.
        self.prefix = f"{{reviews.queue.{topics.prefix}}}:"
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(_assembled(name, parts)) for name, parts in _PARTS.items()
        }

    def key(self, name: str) -> str:
        """Return the full name of one of the queue's keys."""
        return self.prefix + name

    async def run(self, name: str, *arguments: str | float) -> Any:
        """Run a script; its answer is nested lists of strings and integers."""
        given: Sequence[Any] = arguments
        return await self._scripts[name](keys=[self.prefix], args=list(given))


def literal(text: str) -> str:
    """Escape what SCAN's patterns would read as wildcards."""
    return "".join(f"\\{c}" if c in "*?[]\\^" else c for c in text)


def _assembled(name: str, parts: Sequence[str]) -> str:
    """Return a script: what it needs, then its own part as the body that ``common.lua`` runs."""
    *needed, own = (_read(part) for part in parts)
    guard = "regardless" if name in _REGARDLESS else "whole"
    return "\n".join([*needed, "local function body()", own, "end", f"return {guard}(body)"])


def _read(part: str) -> str:
    return (_FOLDER / f"{part}.lua").read_text(encoding="utf-8")
