"""Forgetting one review in the working set. It needs no secret: it reads nothing that is published."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import cast

from stream.queue.record_seal import SEAL_LETTERS
from stream.queue.redis_scripts import Scripts, literal


class QueueEraser:
    """Removes what is written of a review."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._redis = scripts.redis

    async def holds(self, review_id: str) -> bool:
        """Return whether anything is written of a review: that it waits, or was decided."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in ("data", "decided"):
            pipeline.hexists(self._scripts.key(name), review_id)
        return any(await pipeline.execute())

    async def erase(self, review_id: str) -> bool:
        """Forget everything that was written of one review; return whether there was anything.

        What people decided about it stays counted, without its text.
        """
        found = int(await self._scripts.run("erase", review_id))
        pattern = literal(self._scripts.key("undo:")) + "*"
        async for key in self._redis.scan_iter(match=pattern, count=1000):
            for entry in cast("list[str]", await self._redis.lrange(key, 0, -1)):
                if review_id in _reviews_in(entry):
                    # What was decided with it, in one act, cannot be undone any more either.
                    found += int(await self._redis.lrem(key, 0, entry))
        return found + await self._forget_acts(review_id) > 0

    async def _forget_acts(self, review_id: str) -> int:
        """Take the id out of what people lately did: last acts, pace, what they skipped or asked for.

        A rebuild brings the acts back, without text: the topic of judgements keeps ids for ever.
        """
        found = 0
        recent = self._scripts.key("recent")
        for entry in cast("list[str]", await self._redis.lrange(recent, 0, -1)):
            if _act_on(entry) == review_id:
                found += int(await self._redis.lrem(recent, 0, entry))
        for kind in ("pace:", "skipped:", "told:"):
            pattern = literal(self._scripts.key(kind)) + "*"
            async for key in self._redis.scan_iter(match=pattern, count=1000):
                found += int(await self._redis.zrem(key, review_id))
        return found


def _act_on(recent_entry: str) -> str | None:
    """Return the id in an act of a person; None where it is not one of ours."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(recent_entry[SEAL_LETTERS:])["id"])
    return None


def _reviews_in(undo_entry: str) -> set[str]:
    """Return the ids in an undo entry; none where it is not one of ours."""
    with suppress(ValueError, TypeError, KeyError):
        steps = json.loads(undo_entry[SEAL_LETTERS:])
        return {step["task"]["review"]["review_id"] for step in steps}
    return set()
