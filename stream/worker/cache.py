"""The Redis cache of predictions. It fails open: Redis slow, gone or wrong costs only speed."""

from __future__ import annotations

import asyncio
import math
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import structlog
from numpy.typing import NDArray
from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas import category_count
from stream.private_files import kept_secret
from stream.redis.connection import begin_afresh, connect
from stream.redis.trouble import trouble
from stream.seal import SEAL_BYTES, Seal
from stream.settings import CacheSettings
from stream.settings.fields import SENTINEL_SCHEMES
from stream.worker.metrics import WorkerMetrics

KEY_PREFIX: Final = "reviews:prediction:"
_MAGIC: Final = b"RP2"
_PURPOSE: Final = b"prediction cache"
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachedPrediction:
    """What the model once said of a text."""

    probabilities: NDArray[np.float32]
    """Calibrated, float32 [categories]."""
    tokens: int
    unknown: int
    by_first: bool = False
    """Whether the first stage of a cascade has just decided it. It is not kept in the cache."""


def cache_seal(settings: CacheSettings) -> Seal:
    """Return what seals the cache's values; where no key is set or kept yet, make one.

    Raises:
        ConfigError: the file of the key is damaged, or others can read it.
    """
    if settings.key is not None:
        return Seal(settings.key.get_secret_value(), _PURPOSE)
    if not is_on_this_machine(settings):
        _log.warning("cache_key_is_this_machines", remedy="set REVIEWS_CACHE__KEY on all workers")
    try:
        return Seal(kept_secret(settings.key_file), _PURPOSE)
    except OSError as error:
        # The cache fails open: it then serves this process alone.
        _log.warning("cache_key_not_kept", file=str(settings.key_file), error=repr(error))
        return Seal(secrets.token_urlsafe(), _PURPOSE)


def is_on_this_machine(settings: CacheSettings) -> bool:
    """Return whether only workers of this machine share the cache, as far as its address tells."""
    parts = urlsplit(settings.url.get_secret_value() if settings.url else "")
    if parts.scheme in SENTINEL_SCHEMES:
        return False
    return parts.scheme in {"", "unix"} or parts.hostname in _HERE


def pack(seal: Seal, version: str, fingerprint: str, prediction: CachedPrediction) -> bytes:
    """Return the value to store. It names its own key and model, and is sealed."""
    value = _layout(len(prediction.probabilities)).pack(
        _MAGIC,
        version.encode(),
        fingerprint.encode(),
        *prediction.probabilities.tolist(),
        min(prediction.tokens, 0xFFFF),
        min(prediction.unknown, 0xFFFF),
    )
    return value + seal.of(value)


def unpack(seal: Seal, version: str, fingerprint: str, value: object) -> CachedPrediction | None:
    """Read a stored value, or nothing if it is not ours or does not answer this very question.

    A client library may hand us another key's reply (redis-py #2624, #2665), somebody may write
    into our keys: what does not name this model and this text, or lacks our seal, is a miss.
    """
    layout = _layout(category_count())
    if not isinstance(value, bytes) or len(value) != layout.size + SEAL_BYTES:
        return None
    if not seal.holds(value[-SEAL_BYTES:], value[:-SEAL_BYTES]):
        return None
    magic, its_version, its_fingerprint, *numbers = layout.unpack_from(value)
    if (magic, its_version, its_fingerprint) != (_MAGIC, version.encode(), fingerprint.encode()):
        return None
    *probabilities, tokens, unknown = numbers
    # 1e-3: float32 probabilities sum to 1 within rounding. What is not a number fails here.
    if not (min(probabilities) >= 0 and abs(sum(probabilities) - 1) <= 1e-3):  # noqa: PLR2004
        return None
    return CachedPrediction(np.array(probabilities, dtype=np.float32), tokens, unknown)


@cache
def _layout(probabilities: int) -> struct.Struct:
    """Return how a value lies in Redis.

    Magic, model version (16 hex digits), text fingerprint (32 hex digits), probabilities, tokens,
    unknown tokens; behind it the seal of all of them. Plain numbers: nothing read from Redis is ever
    interpreted as code.
    """
    return struct.Struct(f"<3s16s32s{probabilities}fHH")


class Breaker:
    """Leaves Redis alone for a while after some failures in a row (circuit breaker).

    Args:
        failures: how many in a row open it.
        reset: seconds until one call may try again.
        clock: monotonic seconds; a test's own clock otherwise.
    """

    def __init__(
        self, failures: int, reset: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = failures
        self._reset = reset
        self._clock = clock
        self._failed = 0
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        """Whether calls should be left out now."""
        return self._failed >= self._limit and self._clock() < self._retry_at

    def succeeded(self) -> None:
        """Note an answer: close."""
        self._failed = 0

    def failed(self) -> None:
        """Note a failure; at the limit, open."""
        self._failed += 1
        if self._failed >= self._limit:
            self._retry_at = self._clock() + self._reset


class PredictionCache:
    """Predictions by model version and text fingerprint.

    The keys name the sealing key, too: workers with another one are out of each other's way, and a
    new key begins with an empty cache.

    Raises:
        ConfigError: the file of the sealing key is damaged, or others can read it.
    """

    def __init__(self, settings: CacheSettings, metrics: WorkerMetrics) -> None:
        self._ttl = settings.ttl
        self._timeout = settings.timeout
        self._metrics = metrics
        self._reads, self._writes = (
            Breaker(settings.breaker_failures, settings.breaker_reset) for _ in range(2)
        )
        self._redis = _connect(settings)
        self._seal = cache_seal(settings) if self._redis else Seal("", _PURPOSE)
        self._prefix = f"{KEY_PREFIX}{self._seal.key_id}:"

    async def get(self, version: str, fingerprints: Sequence[str]) -> dict[str, CachedPrediction]:
        """Return what is known of these texts; nothing when Redis cannot say in time."""
        if self._redis is None or not fingerprints or self._reads.open:
            return {}
        keys = [f"{self._prefix}{version}:{fingerprint}" for fingerprint in fingerprints]
        try:
            values = await self._redis.mget(keys)
            answers = dict(zip(fingerprints, values, strict=True))
        except Exception as error:  # noqa: BLE001 - another call's reply may be of any shape
            await self._note_failure(self._reads, error)
            return {}
        found = {
            fingerprint: prediction
            for fingerprint, value in answers.items()
            if (prediction := unpack(self._seal, version, fingerprint, value)) is not None
        }
        if len(found) < sum(value is not None for value in values):
            # Some value answers another question, or is not ours. If the connection is out of step, all that
            # follows on it will, too.
            await self._note_failure(self._reads, ValueError("a value that is not its key's"))
        else:
            self._note_success(self._reads)
        self._metrics.cache_lookups.labels("hit").inc(len(found))
        self._metrics.cache_lookups.labels("miss").inc(len(fingerprints) - len(found))
        return found

    async def put(self, version: str, predictions: dict[str, CachedPrediction]) -> None:
        """Store predictions, all in one round trip. A failure is noted and forgotten.

        A Redis that is full, or has become a read-only replica, still answers questions: writing has
        a breaker of its own.
        """
        if self._redis is None or not predictions or self._reads.open or self._writes.open:
            return
        commands = [
            (
                "SET",
                f"{self._prefix}{version}:{print_}",
                pack(self._seal, version, print_, found),
                "EX",
                self._ttl,
            )
            for print_, found in predictions.items()
        ]
        try:
            await _send_all(self._redis, commands, self._timeout)
        except Exception as error:  # noqa: BLE001 - as in get()
            await self._note_failure(self._writes, error)
        else:
            self._note_success(self._writes)

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()

    async def _note_failure(self, breaker: Breaker, error: Exception) -> None:
        was_open = breaker.open
        breaker.failed()
        self._metrics.cache_lookups.labels("error").inc()
        self._show_breakers()
        outage = isinstance(error, RedisError | OSError)
        if breaker.open and not was_open:
            left_out = "cache_left_out" if breaker is self._reads else "cache_not_written"
            met = trouble(error) if isinstance(error, RedisError | OSError) else None
            said = {"reason": f"Redis {met.message}", "remedy": met.remedy} if met else {}
            _log.warning(left_out, error=type(error).__name__, **said)
        if self._redis is not None and not outage:
            # Not Redis' own failure: the replies do not match the commands. Begin afresh.
            await begin_afresh(self._redis)

    def _note_success(self, breaker: Breaker) -> None:
        breaker.succeeded()
        self._show_breakers()

    def _show_breakers(self) -> None:
        self._metrics.cache_open.set(self._reads.open or self._writes.open)


async def _send_all(redis: Redis, commands: Sequence[tuple[Any, ...]], seconds: float) -> None:
    """Do what a redis-py pipeline does, in half of its time.

    The replies are not kept, and one time-out holds for all of them: redis-py sets one a reply.
    """
    pool: Any = redis.connection_pool
    connection = await pool.get_connection()
    try:
        async with asyncio.timeout(seconds):
            await connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                await connection.read_response(timeout=math.inf)
    except BaseException:
        # A reply that is left unread would answer the next caller's question.
        await connection.disconnect()
        raise
    finally:
        await pool.release(connection)


def _connect(settings: CacheSettings) -> Redis | None:
    url = settings.url.get_secret_value() if settings.url else ""
    if not url:
        return None
    # The client's own time-out closes the connection whose reply is late. Cancelling from outside
    # is what once left a reply for the next caller. No retries: a miss is cheaper.
    return connect(url, settings.ssl_ca_file, seconds=settings.timeout, retry=None)
