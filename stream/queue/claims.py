"""Reviews that are being decided just now: by one request alone, whichever server of the queue it reached.

Leases keep other people away. One person may have a review in two windows, and send both.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.exceptions import RedisError

from stream.queue.errors import NotSaved
from stream.queue.sealed_scripts import SealedScripts
from stream.settings import QueueSettings

# A claim outlasts what publishing may take: twice a transaction, a new producer and a look, and as long
# again for what was before it. A server that dies leaves its claims behind for so long.
_TRANSACTIONS: Final = 12
_POLL_SECONDS: Final = 0.05


class Claim:
    """That these reviews are decided by nobody else."""

    kept: bool = False
    """It is not given back, but ends by itself: what was decided is on Kafka, and not in Redis yet."""


class Claims:
    """Claims in the queue's Redis.

    Args:
        scripts: of the queue.
        settings: how long a transaction may take.
    """

    def __init__(self, scripts: SealedScripts, settings: QueueSettings) -> None:
        self._scripts = scripts
        self._transaction_ms = settings.transaction_timeout_ms

    @asynccontextmanager
    async def alone(self, review_ids: Sequence[str]) -> AsyncIterator[Claim]:
        """Let no other request decide these reviews until the block ends; wait for the one before.

        Raises:
            NotSaved: it took longer than a transaction may.
            Rebuilding: Redis holds what none of us wrote.
        """
        token, claim = secrets.token_hex(8), Claim()
        try:
            # Within, too: a claim whose reply was lost is ours, and would keep its person waiting.
            async with self._scripts.checked():
                await self._claim(token, review_ids)
            yield claim
        finally:
            if not claim.kept:
                with suppress(RedisError):  # it ends by itself
                    await self._scripts.run("unclaim", token, *review_ids)

    async def _claim(self, token: str, review_ids: Sequence[str]) -> None:
        patience = time.monotonic() + self._transaction_ms / 1000
        longest = _TRANSACTIONS * self._transaction_ms
        while await self._scripts.run("claim", token, longest, *review_ids) != "ok":
            if time.monotonic() > patience:
                raise NotSaved("this review is being saved by another request", "try again")
            await asyncio.sleep(_POLL_SECONDS)
