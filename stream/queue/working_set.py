"""The working set as people use it: the next item, leases, skipping, search, settling, undo."""

from __future__ import annotations

import heapq
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, cast

import structlog

from schemas import Category, RelabelTask, active_taxonomy, decode
from stream.queue.accounts import NO_SHARE, AssignedShare
from stream.queue.errors import AlreadyDecided, NotDecided, NotKept, OwnOpinion, Taken
from stream.queue.item import DecidedItem, Item, Kind, Opinion, Order, Standing, text_print
from stream.queue.record_seal import Forged, RecordSeal
from stream.queue.records import BLIND, UNSEEN, disagreement, first_opinion, standing
from stream.queue.sealed_scripts import SealedScripts, rebuilding
from stream.sampling import AUDIT, in_sample
from stream.settings import QueueSettings
from stream.text import normalize

SKIP_SECONDS: Final = 3600
# About 2 ms of Redis a step: a search must not be felt by those who wait for their next item.
_SEARCH_STEP: Final = 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Nothing:
    """No item is free for this person now."""

    skipped: int
    """Items that the person skipped within the last hour."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a search looks for; all conditions hold at once."""

    words: str = ""
    category: Category | None = None
    """The model's best guess."""
    least: float = 0.0
    most: float = 1.0
    """Bounds of the best guess's probability."""
    reason: str = ""

    @property
    def asks_for_guess(self) -> bool:
        """Whether there is a condition on what the model said."""
        return self.category is not None or self.least > 0.0 or self.most < 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """A waiting review that a search found."""

    task: RelabelTask
    score: float
    leased: bool


class WorkingSet:
    """Everything a person does to the queue, short of deciding.

    Args:
        scripts: Redis.
        settings: shares and lease time.
        is_current: tells whether intake has filed what was decided before this process began.
            Until then nothing that waits is shown: it may be decided already.
    """

    def __init__(
        self,
        scripts: SealedScripts,
        settings: QueueSettings,
        is_current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._scripts = scripts
        self._redis = scripts.redis
        self._settings = settings
        self._is_current = is_current

    @property
    def seal(self) -> RecordSeal:
        """What records that are to be settled are sealed with."""
        return self._scripts.seal

    async def is_open(self) -> bool:
        """Return whether people can be shown what waits."""
        return self._is_current() and bool(await self._redis.exists(self._scripts.key("ready")))

    async def next(
        self,
        who: str,
        *,
        order: Order = "informative",
        category: Category | None = None,
        on_screen: Iterable[str] = (),
        share: AssignedShare = NO_SHARE,
        rolls: tuple[float, float] | None = None,
    ) -> Item | Nothing:
        """Lease the next item to a person.

        Args:
            who: the person's account.
            order: most informative or oldest first.
            category: only items that the model takes for this one; they are not blind then.
            on_screen: ids that the page holds already.
            share: what is theirs comes first, what is others' alone does not come; a category that
                they chose does all the same.
            rolls: two numbers of 0 to 1 that choose a random item and a second opinion; a test's
                own, or drawn here.

        Raises:
            Rebuilding: the working set is being restored.
        """
        self._require_current()
        rolls = rolls or (random.random(), random.random())  # noqa: S311
        of_others = {category.slug for category in share.of_others}
        slugs = [slug for slug in active_taxonomy().slugs if slug not in of_others]
        if category is None and share.own:
            # Audits are everybody's: they stand under no category.
            own = [*sorted(c.slug for c in share.own), UNSEEN]
            found = await self._next(who, order, own, "", rolls, on_screen)
            if isinstance(found, Item):
                return found
        wanted = category.slug if category else ""
        return await self._next(who, order, [*slugs, UNSEEN], wanted, rolls, on_screen)

    async def _next(
        self,
        who: str,
        order: Order,
        slugs: Sequence[str],
        wanted: str,
        rolls: tuple[float, float],
        on_screen: Iterable[str],
    ) -> Item | Nothing:
        settings, now = self._settings, _now_ms()
        async with self._scripts.checked():
            answer = await self._scripts.run(
                "next",
                who,
                now,
                now + int(settings.lease_seconds * 1000),
                order,
                wanted,
                *rolls,
                settings.random_share,
                settings.second_share,
                json.dumps(slugs),
                json.dumps(list(on_screen), ensure_ascii=False),
            )
            if answer[0] == "empty":
                return Nothing(skipped=answer[1])
            return self._item(answer)

    async def take(self, who: str, review_ids: Sequence[str]) -> list[Item | Exception]:
        """Lease particular items. What cannot be had is answered by the error that says why.

        Raises:
            Rebuilding: the working set is being restored.
        """
        self._require_current()
        now = _now_ms()
        expires = now + int(self._settings.lease_seconds * 1000)
        items: list[Item | Exception] = []
        async with self._scripts.checked():
            answers = await self._scripts.run("take", who, now, expires, *review_ids)
            for review_id, answer in zip(review_ids, answers, strict=True):
                try:
                    items.append(self._item(answer, review_id))
                except (Taken, AlreadyDecided, OwnOpinion) as error:
                    items.append(error)
        return items

    async def take_one(self, who: str, review_id: str) -> Item:
        """Lease one item.

        Raises:
            Taken, AlreadyDecided, OwnOpinion, Rebuilding: it cannot be had.
        """
        (found,) = await self.take(who, [review_id])
        if isinstance(found, Exception):
            raise found
        return found

    async def skip(self, who: str, review_id: str) -> None:
        """Give an item back, and leave it out for this person for an hour."""
        async with self._scripts.checked():
            await self._scripts.run("skip", who, review_id, _now_ms(), SKIP_SECONDS)

    async def give_back(self, who: str, review_id: str) -> None:
        """Give an item back for whoever comes next."""
        async with self._scripts.checked():
            await self._scripts.run("skip", who, review_id, _now_ms(), 0)

    async def forget_skipped(self, who: str) -> None:
        """Show a person again what they skipped."""
        await self._redis.delete(self._scripts.key(f"skipped:{who}"))

    async def near_identical(self, review_id: str, limit: int) -> list[str]:
        """Return ids of reviews that say nearly the same and wait too, oldest first."""
        async with self._scripts.checked():
            meta = await self._get("meta", review_id)
            if meta is None:
                return []
            cluster = _cluster_in(meta, review_id)
            front = await self._get("front", cluster)
            folded = await self._redis.zrange(self._scripts.key(f"cluster:{cluster}"), 0, limit)
        ids = [front, *cast("list[str]", folded)]
        return [i for i in ids if i is not None and i != review_id][:limit]

    async def waiting(self, review_ids: Sequence[str]) -> dict[str, RelabelTask]:
        """Return the tasks among these that wait for a first decision. Nothing is leased.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        if not review_ids:
            return {}
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._scripts.key("meta"), list(review_ids))
        pipeline.hmget(self._scripts.key("data"), list(review_ids))
        async with self._scripts.checked():
            metas, tasks = await pipeline.execute()
            return {
                review_id: self._task(review_id, data)
                for review_id, meta, data in zip(review_ids, metas, tasks, strict=True)
                if meta is not None and data is not None
            }

    async def search(self, query: Query, limit: int) -> list[Found]:
        """Return what waits and matches, most informative first.

        Everything that matches is looked at, in steps that nobody else notices. A condition on the
        model's guess finds nothing that is blind: it would tell the guess.

        Raises:
            Rebuilding: the working set is being restored.
        """
        await self._require_open()
        async with self._scripts.checked():
            found = [hit async for hit in self._matches(query)]
        found.sort(key=lambda hit: (-hit.score, hit.task.review.review_id))
        return found[:limit]

    async def foremost(self, limit: int) -> list[Found]:
        """Return the most informative of what waits, without a walk over all of it.

        Of many, near-identical reviews show one, and what is on somebody's screen is left out.

        Raises:
            Rebuilding: the working set is being restored.
        """
        await self._require_open()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(self._scripts.key("meta"))
        for slug in (*active_taxonomy().slugs, UNSEEN):
            key = self._scripts.key(f"info:{slug}")
            pipeline.zrange(key, 0, limit - 1, desc=True, withscores=True)
        async with self._scripts.checked():
            total, *queues = await pipeline.execute()
        if total <= limit:
            return await self.search(Query(), limit)
        scores = dict(pair for queue in queues for pair in queue)
        best = heapq.nsmallest(limit, scores, key=lambda review_id: (-scores[review_id], review_id))
        tasks = await self.waiting(best)
        return [Found(task, scores[i], leased=False) for i, task in tasks.items()]

    async def disputes(self, limit: int) -> list[Item]:
        """Return disagreements that wait to be settled, oldest first. Nothing is leased.

        Raises:
            Rebuilding: the working set is being restored.
        """
        await self._require_open()
        key = self._scripts.key("dispute:at")
        async with self._scripts.checked():
            ids = cast("list[str]", await self._redis.zrange(key, 0, limit - 1))
        if not ids:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._scripts.key("dispute:data"), ids)
        pipeline.hmget(self._scripts.key("dispute"), ids)
        pipeline.hmget(self._scripts.key("decided"), ids)
        async with self._scripts.checked():
            tasks, opinions, labels = await pipeline.execute()
            return [
                replace(
                    self._item(["adjudication", review_id, data, said, 0, 0, 0]),
                    note=standing(self.seal.open("label", review_id, label)).note if label else "",
                )
                for review_id, data, said, label in zip(ids, tasks, opinions, labels, strict=True)
                if data is not None and said is not None
            ]

    async def decided(self, review_id: str) -> DecidedItem:
        """Return a decision that holds, with what was decided.

        Raises:
            NotDecided: none holds, or another text of this review waits now.
            NotKept: it is too old: its text is not at hand any more.
            Rebuilding: Redis holds what none of us wrote.
        """
        self._require_current()
        names = ("decided", "meta", "data", "kept", "dispute", "settled")
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hget(self._scripts.key(name), review_id)
        async with self._scripts.checked():
            label, meta, data, kept, dispute, settled = await pipeline.execute()
            holds = label and standing(self.seal.open("label", review_id, label))
            if not holds or holds.withdrawn or meta is not None:
                raise NotDecided("no decision on this review holds", "decide it")
            if data is None or kept is None:
                raise NotKept(
                    "this decision is too old to be corrected here",
                    "the texts of the latest 5,000 decisions are kept",
                )
            task = self._task(review_id, data)
            if text_print(task.review.text) != holds.print:
                raise NotDecided("its author has changed this review since", "decide it anew")
            said = dispute or settled
            opinions = disagreement(self.seal.open("judgement", review_id, said)) if said else ()
            return DecidedItem(task, holds, opinions, disputed=dispute is not None)

    async def standing(self, review_id: str) -> Standing | None:
        """Return the decision that holds for a review, if there is one.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        async with self._scripts.checked():
            kept = await self._get("decided", review_id)
            return standing(self.seal.open("label", review_id, kept)) if kept is not None else None

    async def settle(self, who: str, records: Iterable[tuple[str, str]], undo: str = "") -> None:
        """Apply committed records at once, instead of when they come back from Kafka.

        Args:
            who: whose undo stack gets the entry.
            records: ``judgement`` or ``label`` with the record; judgements first, so that a second
                opinion finds the item's data.
            undo: what :meth:`pop_undo` shall return.
        """
        flat = [part for record in records for part in record]
        entry = self.seal.close("undo", who, undo) if undo else ""
        async with self._scripts.checked():
            await self._scripts.run("settle", who, entry, *flat)

    async def pop_undo(self, who: str) -> str | None:
        """Take the latest entry from a person's undo stack. Forged ones are passed over."""
        key = self._scripts.key(f"undo:{who}")
        async with self._scripts.checked():
            # As many as there are: a reply that is none would be passed over for ever.
            for _ in range(int(await self._redis.llen(key))):
                found = cast("str | None", await self._redis.lpop(key))
                if found is None:
                    break
                try:
                    return self.seal.open("undo", who, found)
                except Forged:
                    # Kafka could not restore it, and the rest of the stack is worth keeping.
                    _log.warning("forged_record_dropped", kind="undo", owner=who)
        return None

    async def push_undo(self, who: str, entry: str) -> None:
        """Put an entry back that could not be undone now."""
        sealed = self.seal.close("undo", who, entry)
        await self._redis.lpush(self._scripts.key(f"undo:{who}"), sealed)

    async def can_undo(self, who: str) -> bool:
        """Return whether there is anything on a person's undo stack."""
        return bool(await self._redis.exists(self._scripts.key(f"undo:{who}")))

    async def second_is_open(self, review_id: str) -> bool:
        """Return whether a second opinion is still to be given."""
        return await self._get("second:by", review_id) is not None

    def is_blind(self, task: RelabelTask) -> bool:
        """Return whether a review is shown without suggestions: in a sample, and in every audit."""
        sampled = in_sample(self._settings.blind_share, task.review.review_id, BLIND)
        return task.reason == AUDIT or sampled

    async def _matches(self, query: Query) -> AsyncIterator[Found]:
        category = query.category.slug if query.category else ""
        words = normalize(query.words).split()
        cursor = "0"
        while True:
            cursor, hits = await self._scripts.run(
                "search", cursor, _SEARCH_STEP, category, query.least, query.most, query.reason,
                *words,
            )  # fmt: skip
            for review_id, data, score, leased in hits:
                task = self._task(review_id, data)
                if not (query.asks_for_guess and self.is_blind(task)):
                    yield Found(task, float(score), bool(leased))
            if cursor == "0":
                return

    async def _get(self, name: str, field: str) -> str | None:
        found = await self._redis.hget(self._scripts.key(name), field)
        return cast("str | None", found)

    def _require_current(self) -> None:
        if not self._is_current():
            raise rebuilding()

    async def _require_open(self) -> None:
        if not await self.is_open():
            raise rebuilding()

    def _task(self, review_id: str, kept: str | None) -> RelabelTask:
        return decode(
            RelabelTask, self.seal.open("task", review_id, kept).encode("utf-8", "surrogatepass")
        )

    def _item(self, answer: list[Any], asked: str | None = None) -> Item:
        """Read what a script answers; ``asked`` is the review that was asked for."""
        match answer[0]:
            case "rebuilding":
                raise rebuilding()
            case "taken":
                raise Taken("somebody else has this review now", "go on with the next one")
            case "own":
                raise OwnOpinion("the first opinion is yours", "go on with the next one")
            case "gone":
                raise AlreadyDecided("this review was decided meanwhile", "go on with the next one")
        kind, review_id, data, detail, expires, folded, told = answer
        if asked is not None and review_id != asked:
            raise Forged("task", asked)
        opinions: tuple[Opinion, ...] = ()
        if kind == "second":
            opinions = (first_opinion(self.seal.open("judgement", review_id, detail)),)
        elif kind == "adjudication":
            opinions = disagreement(self.seal.open("judgement", review_id, detail))
        task = self._task(review_id, data)
        return Item(
            kind=cast("Kind", kind),
            task=task,
            expires=datetime.fromtimestamp(float(expires) / 1000, UTC),
            # Who audits must not see what was published, nor who settles a disagreement about it.
            blind=task.reason == AUDIT
            or (kind != "adjudication" and not told and self.is_blind(task)),
            folded=int(folded),
            opinions=opinions,
        )


def _cluster_in(meta: str, review_id: str) -> str:
    try:
        return str(json.loads(meta)[3])
    except (ValueError, TypeError, LookupError):
        raise Forged("meta", review_id) from None


def _now_ms() -> int:
    return int(time.time() * 1000)
