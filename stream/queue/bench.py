"""How long people wait for the next review: many pending items, many people at once.

A server process of its own serves the real pages from a real Redis; decisions go to a list instead
of Kafka, so that the figures are the queue's. People decide without a pause, or with one.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvicorn
from aiokafka import TopicPartition

from schemas import RelabelTask, Review, SourcePosition, all_categories
from stream.queue.accounts import Accounts
from stream.queue.acts import Act
from stream.queue.filing import Filing
from stream.queue.publisher import Place
from stream.queue.records import TaskRecord
from stream.queue.redis_scripts import connect
from stream.queue.sealed_scripts import sealed_scripts
from stream.queue.server import listening, make_site, pages_config, require_redis
from stream.settings import Settings

_CHUNK: Final = 50
_STARTUP_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 30.0
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')
_WORDS: Final = [
    "чайник",
    "куртка",
    "сапоги",
    "сковорода",
    "полотенце",
    "кукла",
    "ремень",
    "наушники",
    "посылка",
    "размер",
    "цвет",
    "ткань",
    "крышка",
    "подошва",
    "молния",
    "ручка",
    "нитки",
    "колесо",
    "пряжка",
    "провод",
    "продавец",
    "рукав",
    "стелька",
    "тарелка",
    "быстро",
    "плохо",
    "хорошо",
    "мягко",
    "тихо",
    "долго",
    "криво",
    "ярко",
    "тепло",
    "дорого",
]


@dataclass(frozen=True, slots=True)
class Waits:
    """How long something took, in milliseconds."""

    name: str
    count: int
    p50: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What was measured."""

    items: int
    people: int
    filing_seconds: float
    """Deriving and filing all items, without reading them from Kafka."""
    waits: tuple[Waits, ...]
    decisions_per_second: float


class _NoKafka:
    """Takes acts as if Kafka had them."""

    def __init__(self) -> None:
        self._offset = 0

    async def publish(self, acts: Sequence[Act]) -> list[Place]:
        self._offset += len(acts)
        first = self._offset - len(acts)
        return [Place(TopicPartition("bench", 0), first + i) for i in range(len(acts))]


async def bench(
    settings: Settings, items: int, people: int, seconds: float, pause: float
) -> BenchReport:
    """Fill a queue of its own and let people work at it; everything is removed at the end.

    Args:
        settings: whose Redis is used; the queue gets a prefix that nobody else has.
        items: pending reviews.
        people: who work at the same time.
        seconds: how long.
        pause: seconds a person reads before deciding, on average; 0: none, a stress test.

    Raises:
        CacheError: Redis does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = _own(settings, Path(folder))
        redis = connect(settings)
        filing = Filing(sealed_scripts(settings, redis))
        await require_redis(redis)
        try:
            started = time.monotonic()
            await _fill(filing, items)
            filing_seconds = time.monotonic() - started
            accounts = Accounts(settings.queue.accounts)
            names = [f"person-{number}" for number in range(people)]
            for name in names:
                accounts.add(name, "a bench's password")
            tokens = [accounts.issue_token(name) for name in names]
            with _server(settings) as url:
                waits, decided = await _work(url, tokens, seconds, pause)
        finally:
            await filing.clear()
            await redis.aclose()
    summed = tuple(_summed(name, found) for name, found in waits.items())
    return BenchReport(items, people, filing_seconds, summed, decided / seconds)


def _own(settings: Settings, folder: Path) -> Settings:
    queue = settings.queue.model_copy(
        update={"accounts": folder / "accounts.json", "requests_per_minute": 1_000_000}
    )
    prefix = f"bench-{random.randrange(10**9)}"  # noqa: S311 - a name, no secret
    topics = settings.topics.model_copy(update={"prefix": prefix})
    return settings.model_copy(update={"queue": queue, "topics": topics})


async def _fill(filing: Filing, items: int) -> None:
    drawn = random.Random(7)  # noqa: S311 - texts of a benchmark
    position = ""
    for start in range(0, items, _CHUNK):
        tasks = [_task(number, drawn) for number in range(start, min(start + _CHUNK, items))]
        records = [record for task in tasks if (record := TaskRecord.of(task)) is not None]
        clusters = await filing.clusters(records)
        flat = [
            a for r, c in zip(records, clusters, strict=True) for a in r.arguments(c, filing.seal)
        ]
        following = start + len(tasks)
        await filing.consume("task", "bench:0", position, following, flat)
        position = str(following)
    await filing.set_ready()


def _task(number: int, drawn: random.Random) -> RelabelTask:
    weights = [drawn.expovariate(1.0) for _ in all_categories()]
    return RelabelTask(
        review=Review(
            review_id=f"bench-{number}",
            text=" ".join(drawn.choices(_WORDS, k=drawn.randint(6, 30))),
        ),
        probabilities={c: w / sum(weights) for c, w in zip(all_categories(), weights, strict=True)},
        threshold=0.8,
        model_version="bench",
        source=SourcePosition(topic="bench", partition=0, offset=number),
    )


class _Server:
    def __init__(self, settings: Settings) -> None:
        self._listener = listening("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._process = get_context("fork").Process(target=self._serve, args=(settings,))

    def _serve(self, settings: Settings) -> None:
        publisher: Any = _NoKafka()
        site = make_site(settings, connect(settings), publisher)
        asyncio.set_event_loop(asyncio.new_event_loop())
        uvicorn.Server(pages_config(site)).run(sockets=[self._listener])

    def __enter__(self) -> str:
        self._process.start()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(_STARTUP_SECONDS)
        self._listener.close()


def _server(settings: Settings) -> _Server:
    return _Server(settings)


async def _work(
    url: str, tokens: Sequence[str], seconds: float, pause: float
) -> tuple[dict[str, list[float]], int]:
    waits: dict[str, list[float]] = {"next": [], "decision": []}
    until = time.monotonic() + seconds
    people = [_person(url, token, until, pause, waits, n) for n, token in enumerate(tokens)]
    await asyncio.gather(*people)
    return waits, len(waits["decision"])


async def _person(
    url: str, token: str, until: float, pause: float, waits: dict[str, list[float]], seed: int
) -> None:
    drawn = random.Random(seed)  # noqa: S311 - of a benchmark
    headers = {"Authorization": f"Bearer {token}", "X-Partial": "1"}
    patience = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with aiohttp.ClientSession(url, headers=headers, timeout=patience) as client:
        await asyncio.sleep(drawn.random() * pause)
        while time.monotonic() < until:
            started = time.perf_counter()
            async with client.get("/next", raise_for_status=True) as page:
                fields = dict(_HIDDEN.findall(await page.text()))
            if "review_id" not in fields:  # all is decided, before the time was over
                return
            waits["next"].append(time.perf_counter() - started)
            await asyncio.sleep(drawn.uniform(0.5, 1.5) * pause)
            answer = {**fields, "category": drawn.choice(all_categories()).slug}
            started = time.perf_counter()
            async with client.post("/decide", data=answer, raise_for_status=True) as said:
                await said.read()
            waits["decision"].append(time.perf_counter() - started)


def _summed(name: str, seconds: Sequence[float]) -> Waits:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
    return Waits(name, len(ordered), at[0] * 1000, at[1] * 1000, ordered[-1] * 1000)
