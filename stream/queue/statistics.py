"""What the counters say: progress, pace, agreement between people, the effect of suggestions."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from typing import Any, cast

from schemas import Category, DecidedBy, all_categories
from stream.intervals import wilson
from stream.queue.agreement import Agreement, Pairs, agreement, one_category, pooled
from stream.queue.record_seal import SEAL_LETTERS, Forged
from stream.queue.records import category_of
from stream.queue.sealed_scripts import SealedScripts

_HOUR_MS = 3_600_000
# The desk's page is shown at once: not all that is remembered is opened for it.
_LATEST_AMONG = 100
# From less no pace can be told: a minute's four decisions once promised twelve hours of work.
_LEAST_MINUTES = 5.0
_LEAST_DECISIONS = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What a person sees above every review."""

    waiting: int
    """Reviews whose text no decision answers that holds, near-identical ones counted each."""
    today: int
    """Decided by this person since midnight, UTC."""
    total: int
    pace: int
    """Decisions of this person within the last hour."""
    team_pace: int
    """Decisions of everybody within the last hour."""
    team_minutes: float
    """Since the first of them."""

    @property
    def remaining_minutes(self) -> int | None:
        """Minutes until nothing waits at the team's pace; None while that is not known yet."""
        if self.team_pace < _LEAST_DECISIONS or self.team_minutes < _LEAST_MINUTES:
            return None
        return round(self.waiting / self.team_pace * self.team_minutes)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95% interval (Wilson, 1927)."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds of the 95% interval."""
        return wilson(self.hits, self.of)


@dataclass(frozen=True, slots=True)
class Bias:
    """How often people agree with the model, seeing its guess and not seeing it."""

    shown: Share
    blind: Share

    @property
    def difference(self) -> float | None:
        """By how much more people agree with a guess that they see; None without both."""
        shown, blind = self.shown.value, self.blind.value
        return None if shown is None or blind is None else shown - blind

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% interval of the difference (Newcombe, 1998, method 10)."""
        shown, blind = self.shown.value, self.blind.value
        if shown is None or blind is None:
            return None
        (low1, high1), (low2, high2) = self.shown.interval, self.blind.interval
        difference = shown - blind
        return (
            difference - sqrt((shown - low1) ** 2 + (high2 - blind) ** 2),
            difference + sqrt((high1 - shown) ** 2 + (blind - low2) ** 2),
        )


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One person's work."""

    name: str
    total: int
    today: int
    pace: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the page of figures shows."""

    waiting: int
    seconds_waiting: int
    disputes: int
    by_guess: dict[Category, int]
    """Free distinct reviews by the model's best guess."""
    decided: dict[DecidedBy, int]
    """Reviews on which a decision holds, by who decided; undone ones do not count, nor one twice."""
    chosen: dict[Category | None, int]
    """Of people's, by category; None: cannot tell."""
    reviewers: list[Reviewer]
    bias: Bias
    pairs: dict[tuple[str, str], Agreement]
    """By the names of two people."""
    overall: Agreement
    categories: dict[Category | None, Agreement]
    mixed_up: list[tuple[Category | None, Category | None, int]]
    """Two answers that people gave to one review, and how often, most often first."""


class Statistics:
    """Reads the working set's counters."""

    def __init__(self, scripts: SealedScripts) -> None:
        self._scripts = scripts
        self._key = scripts.key
        self._redis = scripts.redis

    async def progress(self, who: str) -> Progress:
        """Return a person's progress, and the team's.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        async with self._scripts.checked():
            try:
                return await self._progress(who)
            except (ValueError, TypeError, LookupError):
                raise Forged("counters", who) from None

    async def _progress(self, who: str) -> Progress:
        key, now = self._key, int(time.time() * 1000)
        since = now - _HOUR_MS
        names = cast("list[str]", await self._redis.hkeys(key("done")))
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(key("meta"))
        pipeline.hget(key("days"), f"{_today()}|{who}")
        pipeline.hget(key("done"), who)
        for name in names:
            pipeline.zcount(key(f"pace:{name}"), since, "+inf")
            pipeline.zrange(
                key(f"pace:{name}"), since, "+inf", byscore=True, offset=0, num=1, withscores=True
            )
        waiting, today, total, *rest = await pipeline.execute()
        paces, firsts = rest[::2], [first[0][1] for first in rest[1::2] if first]
        pace = dict(zip(names, paces, strict=True))
        return Progress(
            int(waiting),
            int(today or 0),
            int(total or 0),
            int(pace.get(who, 0)),
            sum(paces),
            (now - min(firsts)) / 60_000 if firsts else 0.0,
        )

    async def recent(self, limit: int, who: str | None = None) -> list[dict[str, Any]]:
        """Return the latest acts, of one person or of all, newest first.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        async with self._scripts.checked():
            found = cast("list[str]", await self._redis.lrange(self._key("recent"), 0, -1))
            acts = [self._act(entry) for entry in found]
        return [act for act in acts if who is None or act["who"] == who][:limit]

    async def latest(self, who: str, limit: int) -> list[dict[str, Any]]:
        """Return a person's latest answers that hold, newest first; only among everybody's latest.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        key = self._key("recent")
        async with self._scripts.checked():
            found = cast("list[str]", await self._redis.lrange(key, 0, _LATEST_AMONG - 1))
            acts = [self._act(entry) for entry in found]
        answers: dict[str, dict[str, Any]] = {}
        for act in acts:
            if act["who"] == who:
                answers.setdefault(act["id"], {**act, "chosen": category_of(act["category"])})
        return [act for act in answers.values() if not act["undone"]][:limit]

    def _act(self, entry: str) -> dict[str, Any]:
        try:
            act: dict[str, Any] = json.loads(entry[SEAL_LETTERS:])
            self._scripts.seal.open("judgement", act["id"], entry)
        except (ValueError, TypeError, KeyError):
            raise Forged("judgement", "recent") from None
        return act

    async def report(self) -> Report:
        """Return everything that is counted.

        Raises:
            Rebuilding: Redis holds what none of us wrote.
        """
        async with self._scripts.checked():
            try:
                return await self._report()
            except (ValueError, TypeError, LookupError):
                raise Forged("counters", "all") from None

    async def _report(self) -> Report:
        key, since = self._key, int(time.time() * 1000) - _HOUR_MS
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hlen(key("meta"))
        pipeline.zcard(key("second:at"))
        pipeline.zcard(key("dispute:at"))
        for name in ("done", "days", "standing", "bias", "pairs"):
            pipeline.hgetall(key(name))
        for category in all_categories():
            pipeline.zcard(key(f"info:{category.slug}"))
        (
            waiting,
            seconds,
            disputes,
            done,
            days,
            held,
            bias,
            pairs,
            *free,
        ) = await pipeline.execute()
        names = sorted(done)
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.zcount(key(f"pace:{name}"), since, "+inf")
        paces = await pipeline.execute() if names else []
        tables = _tables(pairs)
        everyone = pooled(tables.values())
        answers = {answer for pair in everyone for answer in pair}
        return Report(
            waiting=waiting,
            seconds_waiting=seconds,
            disputes=disputes,
            by_guess=dict(zip(all_categories(), free, strict=True)),
            decided=_decided(held),
            chosen=_chosen(held),
            reviewers=[
                Reviewer(name, int(done[name]), int(days.get(f"{_today()}|{name}", 0)), pace)
                for name, pace in zip(names, paces, strict=True)
            ],
            bias=_bias(bias),
            pairs={names: agreement(table) for names, table in sorted(tables.items())},
            overall=agreement(everyone),
            categories={
                category: one_category(everyone, category.slug if category else "")
                for category in (*all_categories(), None)
                if (category.slug if category else "") in answers
            },
            mixed_up=_mixed_up(everyone),
        )


def _tables(pairs: Mapping[str, str]) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """Sort counted pairs by the two names; who came first does not matter to their agreement."""
    tables: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for entry, count in pairs.items():
        first, second, one, other = json.loads(entry)
        if first > second:
            first, second, one, other = second, first, other, one
        if int(count) > 0:
            tables.setdefault((first, second), Counter())[one, other] += int(count)
    return tables


def _mixed_up(pairs: Pairs) -> list[tuple[Category | None, Category | None, int]]:
    """Count pairs of different answers; who gave which does not matter."""
    total: Counter[tuple[str, str]] = Counter()
    for (one, other), count in pairs.items():
        if one != other:
            total[min(one, other), max(one, other)] += count
    return [
        (category_of(one), category_of(other), count)
        for (one, other), count in total.most_common()
        if count > 0
    ]


def _decided(held: Mapping[str, str]) -> dict[DecidedBy, int]:
    total: Counter[DecidedBy] = Counter()
    for entry, count in held.items():
        total[cast("DecidedBy", entry.partition("|")[0])] += int(count)
    return dict(total)


def _chosen(held: Mapping[str, str]) -> dict[Category | None, int]:
    total: Counter[Category | None] = Counter()
    for entry, count in held.items():
        by, _, slug = entry.partition("|")
        if by == "person":
            total[category_of(slug)] += int(count)
    return {category: total[category] for category in (*all_categories(), None) if total[category]}


def _bias(counted: Mapping[str, str]) -> Bias:
    def share(name: str) -> Share:
        yes, no = (int(counted.get(f"{name}|{answer}", 0)) for answer in ("yes", "no"))
        return Share(yes, yes + no)

    return Bias(shown=share("shown"), blind=share("blind"))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
