"""``python -m tests.bench.exactly_once``: what exactly once costs, beside a loop that promises less.

The loop is the one that an engineer would write with care and aiokafka alone: read what is there, ask the
same model, send, wait for the answers, commit the offsets. Whatever it did between two commits is done
again after a death: at least once. No Redis on either side. Ratios are to the loop, rounds interleaved.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from schemas import all_categories
from stream.bench.cluster import (
    OpenPartitions,
    WorkerUsage,
    drained,
    fresh_topics,
    numbered,
    publish,
)
from stream.bench.latency import Serve, measure_capacity, measure_latency, one_worker
from stream.bench.pipeline import model_alone
from stream.cli.bench import EXAMPLES, broker, read_texts
from stream.cli.console import note
from stream.kafka.clients import bulk_producer, group_reader
from stream.kafka.connection import start
from stream.logs import configure_logs
from stream.model.classifier import Classifier
from stream.settings import Settings, load_settings
from stream.text import normalize
from tests.bench.rounds import Rounds

LOOP: Final = "at-least-once loop"
_PROCESSES: Final = multiprocessing.get_context("spawn")
_POLL_MS: Final = 100
_MOST_ROWS: Final = 512
_BATCH_BYTES: Final = 256 * 1024


@contextmanager
def loop(settings: Settings, opened: OpenPartitions) -> Iterator[Sequence[WorkerUsage]]:
    """Run the loop in a process of its own."""
    process = _PROCESSES.Process(target=_loop, args=(settings, opened.by_worker), daemon=True)
    process.start()
    try:
        yield ()
    finally:
        process.terminate()
        process.join(timeout=30)
        process.kill()


def _loop(settings: Settings, opened: Any) -> None:
    configure_logs(settings.log, settings.privacy.redact_kinds)
    asyncio.run(_until_terminated(settings, opened))


async def _until_terminated(settings: Settings, opened: Any) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    model, topics = settings.model, settings.topic_names
    classifier = Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)
    consumer = group_reader(settings.kafka, settings.worker.group)
    producer = bulk_producer(settings.kafka, _BATCH_BYTES)
    await start(consumer, settings.kafka)
    await start(producer, settings.kafka)
    consumer.subscribe([topics.incoming])
    try:
        while not stop.is_set():
            found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MOST_ROWS)
            opened[0] = len(consumer.assignment())
            records = [record for batch in found.values() for record in batch]
            if not records:
                continue
            reviews = [json.loads(record.value) for record in records]
            texts = [normalize(review["text"]) for review in reviews]
            answers = await asyncio.to_thread(classifier.classify, texts)
            for record, review, row, sure in zip(
                records, reviews, answers.probabilities, answers.sure, strict=True
            ):
                best = int(row.argmax())
                value = review | {
                    "category": all_categories()[best].slug,
                    "confidence": float(row[best]),
                }
                await producer.send(
                    topics.category(all_categories()[best]) if sure else topics.relabel,
                    json.dumps(value, ensure_ascii=False).encode(),
                    key=record.key,
                )
            await producer.flush()
            await consumer.commit(
                {tp: batch[-1].offset + 1 for tp, batch in found.items() if batch}
            )
    finally:
        await consumer.stop()
        await producer.stop()


def _ways(base: Settings) -> dict[str, tuple[Settings, Serve]]:
    plain = base.model_dump()
    plain["cache"] |= {"url": None}
    ways: dict[str, tuple[Settings, Serve]] = {LOOP: (load_settings(**plain), loop)}
    for mode in ("partition", "worker"):
        values = load_settings(**plain).model_dump()
        values["worker"] |= {"transactions": mode}
        ways[f"exactly once, a transaction a {mode}"] = (load_settings(**values), one_worker)
    return ways


async def _rate(
    base: Settings, serve: Serve, texts: Sequence[str], reviews: int, partitions: int
) -> float:
    opened = OpenPartitions(1)
    async with fresh_topics(base, partitions) as settings:
        await publish(settings, numbered(texts, reviews))
        with serve(settings, opened):
            return (await drained(settings, reviews)).rate


def main() -> None:
    """Measure, and print ratios to the loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--reviews", type=int, default=15_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--capacity", type=float, help="reviews/s that are the whole load")
    parser.add_argument("--loads", type=float, nargs="*", default=[0.1, 0.5])
    parser.add_argument("--output", type=Path, default=Path("build/bench/exactly_once.json"))
    arguments = parser.parse_args()
    texts = read_texts(EXAMPLES)
    found = Rounds(LOOP)
    partitions: int = arguments.partitions

    with broker(None) as base:
        ways = _ways(base)
        capacity = arguments.capacity or measure_capacity(
            base, texts, model_alone(base, texts), arguments.seconds
        )
        note(f"capacity {capacity:,.0f}/s")
        for turn in range(arguments.rounds):
            for way in sorted(ways, reverse=bool(turn % 2)):
                settings, serve = ways[way]
                rate = asyncio.run(_rate(settings, serve, texts, arguments.reviews, partitions))
                found.add("reviews/s of a backlog", way, rate)
                for load in arguments.loads:
                    latencies = measure_latency(
                        settings, texts, capacity * load, arguments.seconds, partitions, serve
                    )
                    found.add(f"p50 ms at {load:.0%} load", way, latencies.p50)
                    found.add(f"p99 ms at {load:.0%} load", way, latencies.p99)
    found.report(arguments.output, capacity=capacity, partitions=partitions)


if __name__ == "__main__":
    main()
