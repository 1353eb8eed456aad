"""The learning loop in tests: a learner that is small but real, its settings, a load that goes on.

Reviews begin with a keyword of their category (:data:`~tests.support.tiny_model.KEYWORDS`). The
learner counts which category each keyword was given, so that what it learned can be told exactly.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from schemas import BatchSummary, Category, TopicNames, all_categories, decode
from stream.model.classifier import Classifier
from stream.settings import Settings
from tests.support.pipeline import WAIT_SECONDS, pipeline_settings, send
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.data.dataset import Dataset

BURST = 60
"""Reviews that a steady load sends at a time."""
BOOTS, DRESSES, TABLEWARE = 1, 2, 3

Message = tuple[bytes, bytes]


def message(review_id: str, text: str) -> Message:
    """Return a review as shops send it."""
    value = json.dumps({"review_id": review_id, "text": text}, ensure_ascii=False)
    return review_id.encode(), value.encode()


def true_category(text: str) -> Category:
    """Return what a review is about, by its first word."""
    return all_categories()[KEYWORDS.index(text.split(maxsplit=1)[0])]


def write_weak_model(folder: Path) -> Classifier:
    """Write and load a model that is unsure of everything and takes boots for dresses."""
    write_tiny_model(folder, sure_logit=1.0, mistakes={BOOTS: DRESSES})
    return Classifier.load(folder, device="cpu", threads=1)


def count_keywords(
    _family: str, dataset: Dataset, folder: Path, _config: Any, _progress: Any
) -> None:
    """Learn which category each keyword belongs to, by the most labels."""
    votes: dict[int, Counter[int]] = {i: Counter() for i in range(len(KEYWORDS))}
    for text, category in zip(dataset.normalized, dataset.categories, strict=True):
        for i, keyword in enumerate(KEYWORDS):
            if keyword in text.split():
                votes[i][int(category)] += 1
    learned = {i: said.most_common(1)[0][0] for i, said in votes.items() if said}
    write_tiny_model(folder, name="learned", sure_logit=5.0, mistakes=learned)


def loop_settings(
    kafka: str, prefix: str, redis_url: str, folder: Path, **sections: Any
) -> Settings:
    """Return settings of a loop that begins with the model in ``folder / "weak"``."""
    keywords = [
        {"text": f"{word} {word_number}", "category": category.slug}
        for word, category in zip(KEYWORDS, all_categories(), strict=True)
        for word_number in ("раз", "два", "три") * 7
    ]
    for name, rows in (("frozen", keywords), ("canaries", keywords[::21])):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return pipeline_settings(
        kafka,
        prefix,
        redis_url,
        model={"folder": folder / "weak"},
        learning={
            "registry": folder / "registry",
            "runs": folder / "runs",
            "frozen": (folder / "frozen.jsonl",),
            "held_out_share": 0.0,
        },
        # Their time is microseconds: how busy the machine is would decide.
        gate={"resamples": 200, "canaries": folder / "canaries.jsonl", "slower": 1000.0},
        **sections,
    )


@contextlib.asynccontextmanager
async def steady_load(
    kafka: str, topic: str, burst: Callable[[int], Iterable[Message]]
) -> AsyncIterator[dict[str, int]]:
    """Keep reviews coming in bursts until the block ends.

    Args:
        kafka: bootstrap servers.
        topic: where they go.
        burst: makes the next ones from how many went before.

    Yields:
        ``count``: how many were acknowledged so far.
    """
    sent = {"count": 0}
    stop = asyncio.Event()

    async def produce() -> None:
        while not stop.is_set():
            sent["count"] += await send(kafka, topic, burst(sent["count"]))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05)

    task = asyncio.create_task(produce())
    try:
        yield sent
    finally:
        stop.set()
        await task


async def read_summaries(
    kafka: str, topics: TopicNames, enough: Callable[[Sequence[BatchSummary]], bool]
) -> list[BatchSummary]:
    """Read committed batch summaries until they are enough for a condition over all of them.

    Raises:
        TimeoutError: they never were.
    """
    consumer = AIOKafkaConsumer(
        topics.batches,
        bootstrap_servers=kafka,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found: list[BatchSummary] = []
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            async for record in consumer:
                found.append(decode(BatchSummary, record.value))
                if enough(found):
                    break
    finally:
        await consumer.stop()
    return found


def reviews_under(version: str, count: int) -> Callable[[Sequence[BatchSummary]], bool]:
    """Return the condition that a model version answered so many reviews."""
    return lambda found: sum(s.reviews for s in found if s.model_version == version) >= count


async def until_served(worker: Any, version: str) -> None:
    """Wait until a worker in this process decides by a model version.

    Raises:
        TimeoutError: it never did.
    """
    async with asyncio.timeout(WAIT_SECONDS):
        while worker.models.serving.version != version:  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(0.02)
