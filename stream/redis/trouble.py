"""What an error of Redis means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why Redis does not do what it was asked."""

    message: str
    remedy: str


_FULL: Final = Trouble(
    "is full and refuses writes (maxmemory-policy noeviction)",
    "give it more memory; a cache may evict (allkeys-lru) if no queue is kept there",
)
_READ_ONLY: Final = Trouble(
    "is a read-only replica",
    "give the address of the primary, or of its sentinels: redis+sentinel://host:26379/service/0",
)
_CLUSTER: Final = Trouble(
    "is a cluster, which we do not speak with",
    "use a single Redis, or a proxy in front of the cluster",
)
_NOT_LET_IN: Final = Trouble("does not let us in", "check the user and password of its URL")
_MIXED_UP: Final = Trouble(
    "answers what was not asked",
    "connections are made anew; if it goes on, look at what stands between us and Redis",
)
_BY_TYPE: Final[tuple[tuple[type[Exception], Trouble], ...]] = (
    (OutOfMemoryError, _FULL),
    (ReadOnlyError, _READ_ONLY),
    (
        NoPermissionError,
        Trouble("does not allow this user what we need", "`reviews acl` lists the rights"),
    ),
    (AuthenticationError, _NOT_LET_IN),
    (BusyLoadingError, Trouble("is still loading what it saved", "wait a moment")),
    (
        MasterNotFoundError,
        Trouble(
            "has no primary that its sentinels know of",
            "check the name of the service in the URL, and that a primary runs",
        ),
    ),
    (AskError, _CLUSTER),  # MOVED as well
    (ClusterCrossSlotError, _CLUSTER),
    (ClusterError, _CLUSTER),
    (TryAgainError, _CLUSTER),
    (InvalidResponse, _MIXED_UP),
)
HANGS_UP: Final = "it hangs up"
"""Word of a trial on what answers, but not to the commands that the queue needs."""
# What redis-py gives no class: because it has none, or because a script met it.
_BY_WORD: Final = (
    (
        "MISCONF",
        Trouble(
            "cannot save to its disk and therefore takes no writes",
            "free its disk; or `CONFIG SET stop-writes-on-bgsave-error no`: what we keep there "
            "can be made anew",
        ),
    ),
    ("OOM command", _FULL),
    (
        HANGS_UP,
        Trouble(
            "hangs up on what the queue needs (SCRIPT LOAD, SCAN), as twemproxy does",
            "a cache may stay behind such a proxy; give the queue Redis itself, or Envoy",
        ),
    ),
    ("READONLY", _READ_ONLY),
    ("CROSSSLOT", _CLUSTER),
    ("cluster node", _CLUSTER),
    ("Authentication required", _NOT_LET_IN),
)
_SILENT: Final = Trouble(
    "does not answer", "`reviews up` starts one, or set the address of another"
)


def refusal(error: RedisError | OSError) -> Trouble | None:
    """Return why a Redis that answers does not serve us; None where that is not the trouble."""
    for kind, meaning in _BY_TYPE:
        if isinstance(error, kind):
            return meaning
    if isinstance(error, ResponseError):
        for word, meaning in _BY_WORD:
            if word in str(error):
                return meaning
    return None


def trouble(error: RedisError | OSError) -> Trouble:
    """Return what an error means: for logs, pages and `reviews doctor` alike."""
    if (known := refusal(error)) is not None:
        return known
    if isinstance(error, ResponseError):
        return Trouble(f"refused: {str(error)[:200]}", "use Redis 5 or newer, or Valkey")
    return _SILENT
