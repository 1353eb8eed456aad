"""The working set as intake fills it: positions, clusters of near-identical texts, restoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from redis.exceptions import ResponseError

from stream.queue.eraser import QueueEraser
from stream.queue.record_seal import RecordSeal
from stream.queue.records import TaskRecord, standing
from stream.queue.redis_scripts import literal
from stream.queue.sealed_scripts import SealedScripts
from stream.queue.similarity import NEAR_IDENTICAL, jaccard, shingles
from stream.redis.trouble import refusal

RecordKind = Literal["task", "label", "judgement"]
# How long a leader may be silent until another server takes intake over.
LEADER_SECONDS: Final = 10
_LONGEST: Final = 19  # digits of an offset
_UNLINK: Final = 500


class Lost(Exception):
    """Redis does not hold what it held: emptied, rolled back, or being rebuilt. Start anew."""


class Filing:
    """What intake does to the working set. One server does it at a time."""

    def __init__(self, scripts: SealedScripts) -> None:
        self._scripts = scripts
        self._redis = scripts.redis

    @property
    def seal(self) -> RecordSeal:
        """What the records are to be sealed with."""
        return self._scripts.seal

    async def lead(self, name: str) -> bool:
        """Become, or stay, the one that fills the working set."""
        key = self._scripts.key("leader")
        if await self._redis.set(key, name, nx=True, ex=LEADER_SECONDS):
            return True
        if await self._redis.get(key) != name:
            return False
        return bool(await self._redis.expire(key, LEADER_SECONDS))

    async def resign(self, name: str) -> None:
        """Let another server lead at once."""
        key = self._scripts.key("leader")
        if await self._redis.get(key) == name:
            await self._redis.delete(key)

    async def is_ready(self) -> bool:
        """Return whether everything that Kafka held at the start of a rebuild is filed."""
        return bool(await self._redis.exists(self._scripts.key("ready")))

    async def set_ready(self) -> None:
        """Open the queue to people."""
        await self._redis.set(self._scripts.key("ready"), "1")

    async def close(self) -> None:
        """Hold people off until :meth:`set_ready`."""
        await self._redis.delete(self._scripts.key("ready"))

    async def start_anew(self) -> None:
        """Let the leader throw everything away and restore it."""
        await self._scripts.start_anew()

    async def sealed_by_us(self) -> bool:
        """Return whether the working set was sealed with our key; another one's is of no use."""
        return await self._scripts.sealed_by_us()

    async def clear(self) -> None:
        """Throw the working set away. Nothing is lost: it is a fold over topics.

        People are held off first, so that nothing is written into what is being removed.
        """
        await self.close()
        async with self._scripts.checked():
            await self._unlink_all()
        await self._redis.set(self._scripts.key("seal"), self._scripts.seal.key_id)

    async def _unlink_all(self) -> None:
        leader = self._scripts.key("leader")
        pattern = literal(self._scripts.prefix) + "*"
        batch: list[str] = []
        async for key in self._redis.scan_iter(match=pattern, count=1000):
            if key != leader:
                batch.append(key)
            if len(batch) >= _UNLINK:
                await self._redis.unlink(*batch)
                batch = []
        if batch:
            await self._redis.unlink(*batch)

    async def positions(self) -> dict[str, str]:
        """Return the next offset of every ``topic:partition`` that was filed from.

        None at all where one is no offset: somebody wrote there, and the whole is restored.
        """
        async with self._scripts.checked():
            kept = dict(await self._redis.hgetall(self._scripts.key("offset")))
        found = cast("dict[str, str]", kept)
        are_offsets = all(len(said) <= _LONGEST and said.isdecimal() for said in found.values())
        return found if are_offsets else {}

    async def recreated(self, ids: Mapping[str, str]) -> list[str]:
        """Return which topics have another id than those that the working set was filed from."""
        async with self._scripts.checked():
            try:
                known = dict(await self._redis.hgetall(self._scripts.key("topics")))
            except ResponseError as error:
                if refusal(error):
                    raise
                return list(ids)  # somebody wrote something else there
            return [topic for topic, its in ids.items() if known.get(topic, its) != its]

    async def note_topics(self, ids: Mapping[str, str]) -> None:
        """Note which topics the working set is filed from, by their ids."""
        if ids:
            mapping = cast("Any", dict(ids))  # redis-py's type has no place for dict[str, str]
            await self._redis.hset(self._scripts.key("topics"), mapping=mapping)

    async def show_progress(self, done: int, total: int) -> None:
        """Tell whoever waits how far a rebuild is."""
        await self._redis.set(self._scripts.key("progress"), f"{done}/{total}")

    async def progress(self) -> tuple[int, int]:
        """Return how many records of how many a rebuild has filed."""
        async with self._scripts.checked():
            shown = await self._redis.get(self._scripts.key("progress"))
        done, _, total = str(shown or "0/0").partition("/")
        # It is shown to people while they wait for what matters more.
        return (int(done), int(total)) if done.isdecimal() and total.isdecimal() else (0, 0)

    async def consume(
        self, kind: RecordKind, tp: str, expected: str, following: int, records: Sequence[str]
    ) -> None:
        """File one partition's next records and move its position, in one step.

        Args:
            kind: what the records are.
            tp: ``topic:partition``.
            expected: the position from which the records were read; empty at the very beginning.
            following: the position after them.
            records: flat arguments of the script.

        Raises:
            Lost: the position in Redis is another one.
            Rebuilding: Redis holds what none of us wrote.
        """
        async with self._scripts.checked():
            answer = await self._scripts.run("consume", kind, tp, expected, following, *records)
        if answer != "ok":
            raise Lost(tp)

    async def erase(self, review_id: str) -> bool:
        """Forget everything that was written of one review; return whether there was anything."""
        async with self._scripts.checked():
            return await QueueEraser(self._scripts).erase(review_id)

    async def answered(self, review_ids: Sequence[str]) -> dict[str, str]:
        """Return, of these reviews, the fingerprint of the text that nobody has to see again.

        It saves the work of filing what was decided long ago; the script decides for itself. What was
        decided lately is filed: it may be taken back, or corrected.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        if not review_ids:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        for name in ("decided", "second:by", "dispute"):
            pipeline.hmget(self._scripts.key(name), list(review_ids))
        pipeline.zmscore(self._scripts.key("kept:at"), list(review_ids))
        async with self._scripts.checked():
            rows = zip(review_ids, *await pipeline.execute(), strict=True)
            return {
                review_id: known.print
                for review_id, decided, second, dispute, kept in rows
                if decided is not None and second is None and dispute is None and kept is None
                if not (known := standing(self.seal.open("label", review_id, decided))).withdrawn
            }

    async def clusters(self, tasks: Sequence[TaskRecord]) -> list[str]:
        """Return for each task the cluster of near-identical texts that it belongs to.

        A task that resembles nothing that waits founds a cluster named after itself.
        """
        async with self._scripts.checked():
            known = await self._candidates(tasks)
        local: dict[str, tuple[str, frozenset[str]]] = {}
        found: list[str] = []
        for task, candidates in zip(tasks, known, strict=True):
            nearby = [local[band] for band in task.bands if band in local]
            cluster = _most_similar(task.shingles, [*nearby, *candidates])
            if cluster is None:
                cluster = task.review_id
                local.update(dict.fromkeys(task.bands, (cluster, task.shingles)))
            found.append(cluster)
        return found

    async def _candidates(
        self, tasks: Sequence[TaskRecord]
    ) -> list[list[tuple[str, frozenset[str]]]]:
        pipeline = self._redis.pipeline(transaction=False)
        for task in tasks:
            pipeline.hmget(self._scripts.key("band"), task.bands)
        by_task: list[set[str]] = [
            {cluster for cluster in row if cluster is not None} for row in await pipeline.execute()
        ]
        names = sorted(set().union(*by_task))
        if not names:
            return [[] for _ in tasks]
        texts: list[Any] = await self._redis.hmget(self._scripts.key("exemplar"), names)
        parts = {n: shingles(text) for n, text in zip(names, texts, strict=True) if text}
        return [[(name, parts[name]) for name in sorted(row) if name in parts] for row in by_task]


def _most_similar(
    parts: frozenset[str], candidates: Sequence[tuple[str, frozenset[str]]]
) -> str | None:
    best, best_similarity = None, NEAR_IDENTICAL
    for name, others in candidates:
        similarity = jaccard(parts, others)
        if similarity >= best_similarity:
            best, best_similarity = name, similarity
    return best
