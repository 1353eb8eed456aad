"""Erasing reviews: what can be taken out at once is, and what cannot is named with its date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from stream.errors import CacheError, InputError
from stream.kafka.clients import idempotent_producer
from stream.kafka.connection import start, unreachable
from stream.kafka.stopping import stop_producer
from stream.operations.erasure_copies import Copies, TopicCopies, find_copies
from stream.operations.erasure_files import FileRows, data_files, erase_rows, trained_on
from stream.operations.erasure_traces import Trace, find_traces
from stream.queue.eraser import QueueEraser
from stream.queue.redis_scripts import Scripts, connect, connect_to
from stream.settings import Settings
from stream.text import fingerprint
from stream.worker.cache import KEY_PREFIX


@dataclass(slots=True)
class Erasure:
    """What an erasure did, or would do."""

    review_id: str
    topics: list[TopicCopies]
    tombstones: int = 0
    """Records without a value, after which a topic's readers hold the review for erased."""
    queue: bool = False
    """Whether the review queue's working set held it."""
    cached: int = 0
    """Answers in the cache for its texts."""
    files: list[FileRows] = field(default_factory=list)
    models: list[int] = field(default_factory=list)
    """Numbers of the registry's models that were trained on a text of it."""
    traces: list[Trace] = field(default_factory=list)
    """What still tells of it, and is not changed here."""

    @property
    def found(self) -> bool:
        """Whether anything anywhere was about this review."""
        return bool(self.topics or self.queue or self.cached or self.files)


class Eraser:
    """Erases reviews. Doing it again is safe, and finishes what an interruption left.

    Args:
        settings: connection, topics, Redis, the learning loop's folders.
        more_files: labelled files that the settings do not name.
        look_in: folders and files to search for what still tells of it: reports, say.
        dry_run: look, and change nothing.
        on_progress: told how many records of Kafka were read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        more_files: Iterable[Path] = (),
        look_in: Iterable[Path] = (),
        dry_run: bool = False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._more_files = tuple(more_files)
        self._look_in = tuple(look_in)
        self._dry_run = dry_run
        self._on_progress = on_progress
        self.erased: list[Erasure] = []
        """What a run has done so far."""

    async def run(self, review_ids: Sequence[str]) -> list[Erasure]:
        """Erase reviews.

        Kafka is read first, once for all of them: its topics tell the texts that cache and files are
        searched for. They are changed last, so that whatever goes wrong before can be found and
        finished by another run.

        Raises:
            BrokerError: no broker answers, or it refuses us.
            CacheError: Redis does not answer; the review that is named and those after it are not erased.
            InputError: a file of labels cannot be read or written; Redis is done by then.
        """
        files = list(data_files(self._settings.learning, self._more_files))
        for place in self._look_in:
            if not place.exists():
                raise InputError(f"{place} is not there", "name folders and files that exist")
        wanted = list(dict.fromkeys(review_ids))
        copies = await find_copies(self._settings, wanted, self._on_progress)
        self.erased = []
        for review_id in wanted:
            self.erased.append(await self._erase(review_id, copies[review_id], files))
        return self.erased

    async def _erase(self, review_id: str, copies: Copies, files: list[Path]) -> Erasure:
        done = Erasure(review_id, copies.topics)
        await self._erase_from_redis(done, copies)
        touched = []
        for path in files:
            if rows := erase_rows(path, review_id, copies.texts, dry_run=self._dry_run):
                done.files.append(FileRows(str(path), rows))
                touched.append(path)
        done.models = trained_on(self._settings.learning, touched)
        # Many files may be large: not in the loop that keeps the connections alive.
        places = (*files, *self._look_in)
        traces = await asyncio.to_thread(
            find_traces, self._settings, copies.written, copies.texts, places
        )
        # A rehearsal leaves in the files what an erasure takes out.
        there = set(map(str, touched)) if self._dry_run else set()
        done.traces = [trace for trace in traces if trace.where not in there]
        if not self._dry_run:
            done.tombstones = await self._bury(review_id, copies)
        return done

    async def _bury(self, review_id: str, copies: Copies) -> int:
        """Publish tombstones where a compacted topic, or a rebuild of the queue, must forget."""
        buried = [t for t in copies.topics if t.tombstoned]
        places = [(topic.topic, partition) for topic in buried for partition in topic.partitions]
        if not places:
            return 0
        key = review_id.encode("utf-8", "surrogatepass")
        kafka = self._settings.kafka
        producer: Any = idempotent_producer(kafka)
        await start(producer, kafka)
        try:
            for topic, partition in places:
                await producer.send_and_wait(topic, value=None, key=key, partition=partition)
        except (KafkaError, OSError) as error:
            raise unreachable(kafka, error) from None
        finally:
            await stop_producer(producer)
        return len(places)

    async def _erase_from_redis(self, done: Erasure, copies: Copies) -> None:
        try:
            if self._settings.queue.redis_url or self._cache_url:
                done.queue = await self._leave_queue(done.review_id)
            if copies.texts and self._cache_url:
                done.cached = await self._forget_answers(copies.texts)
        except (RedisError, OSError) as error:
            raise CacheError(
                f"Redis does not answer ({type(error).__name__}): {done.review_id} was not erased",
                "bring it back and run the same command again; where there is no Redis, set "
                "REVIEWS_CACHE__URL to nothing",
            ) from None

    async def _leave_queue(self, review_id: str) -> bool:
        redis = connect(self._settings)
        try:
            eraser = QueueEraser(Scripts(redis, self._settings.topic_names))
            if self._dry_run:
                return await eraser.holds(review_id)
            return await eraser.erase(review_id)
        finally:
            await redis.aclose()

    async def _forget_answers(self, texts: frozenset[str]) -> int:
        wanted = {fingerprint(text) for text in texts}
        redis = connect_to(self._cache_url, self._settings.cache.ssl_ca_file)
        try:
            # One pass for all texts and all models that ever answered.
            keys = [
                key
                async for key in redis.scan_iter(match=f"{KEY_PREFIX}*", count=1000)
                if key.rpartition(":")[2] in wanted
            ]
            if keys and not self._dry_run:
                await redis.unlink(*keys)
        finally:
            await redis.aclose()
        return len(keys)

    @property
    def _cache_url(self) -> str:
        url = self._settings.cache.url
        return url.get_secret_value() if url else ""
