"""``python -m tests.bench.transactions``: two kinds of transactions side by side, interleaved.

One a partition beside one a worker, or with ``--compare versions`` Kafka's first version beside its second.
Latency under open-loop load with the bundled model, by share of a capacity that is measured once;
reviews a second of one worker with the free model, by number of partitions; transactions a second, as
the broker's log of them has it, and the broker's CPU a review. Ratios are the second's to the first's.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.bench.cluster import OpenPartitions, drained, fresh_topics, numbered, publish, workers
from stream.bench.latency import measure_capacity, measure_latency
from stream.bench.pipeline import model_alone
from stream.bench.usage import cpu_seconds
from stream.cli.bench import EXAMPLES, broker, read_texts
from stream.cli.console import note
from stream.kafka.clients import offset_observer
from stream.kafka.private import client_of, known_partitions
from stream.kafka.topics import await_leaders
from stream.settings import Settings, load_settings
from tests.bench.rounds import Rounds

COMPARED: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "transactions": {
        "partition": {"transactions": "partition"},
        "worker": {"transactions": "worker"},
    },
    "versions": {
        "version 1": {"transaction_version": 1},
        "version 2": {"transaction_version": 2},
    },
}
# What a transaction leaves in its coordinator's log: partitions, group, decision, end.
_LOGGED: Final = 4
_LOG: Final = "__transaction_state"


def _with(base: Settings, worker: dict[str, Any]) -> Settings:
    values = base.model_dump()
    values["worker"] |= worker
    return load_settings(**values)


async def _logged(settings: Settings) -> int:
    """Return how many records the coordinators' log of transactions ever got."""
    observer = offset_observer(settings.kafka)
    await observer.start()
    try:
        numbers = await known_partitions(client_of(observer), _LOG)
        partitions = [TopicPartition(_LOG, number) for number in numbers]
        return sum((await observer.end_offsets(partitions)).values())
    finally:
        await observer.stop()


def _latency(
    settings: Settings, texts: list[str], rate: float, seconds: float, partitions: int
) -> dict[str, float]:
    logged, cpu, began = asyncio.run(_logged(settings)), cpu_seconds(), time.monotonic()
    found = measure_latency(settings, texts, rate, seconds, partitions)
    took, spent = time.monotonic() - began, cpu_seconds()
    transactions = (asyncio.run(_logged(settings)) - logged) / _LOGGED
    return {
        "p50": found.p50,
        "p99": found.p99,
        "commit_ms": found.stages.get("commit", 0.0),
        "transactions_per_review": transactions / max(found.reviews, 1),
        "broker_us_per_second": (spent["broker"] - cpu["broker"]) / took * 1e6,
    }


async def _drain(
    base: Settings, texts: list[str], reviews: int, partitions: int
) -> dict[str, float]:
    opened = OpenPartitions(1)
    async with fresh_topics(base, partitions, cache={"url": None}) as settings:
        await await_leaders(
            settings.kafka, [policy.name for policy in settings.topic_names.policies()]
        )
        await publish(settings, numbered(texts, reviews))
        with workers(settings, 1, 0.0, opened) as used:
            await opened.spread_over(partitions)
            found = await drained(settings, reviews)
    return {
        "reviews_per_second": found.rate,
        "broker_us_per_review": found.cpu_us.get("broker", 0.0),
        "worker_us_per_review": found.cpu_us.get("workers", 0.0),
        "memory_mb": max((u.memory_bytes for u in used), default=0) / 2**20,
    }


def _drained(
    settings: Settings, texts: list[str], reviews: int, partitions: int
) -> dict[str, float]:
    while True:
        try:
            return asyncio.run(_drain(settings, texts, reviews, partitions))
        except KafkaError as error:  # a busy broker has not taken all new partitions in
            note(f"once more: {error!r}")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compare", choices=COMPARED, default="transactions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--reviews", type=int, default=60_000)
    parser.add_argument("--capacity", type=float, help="reviews/s that are the whole load")
    parser.add_argument("--loads", type=float, nargs="*", default=[0.1, 0.5])
    parser.add_argument("--loaded-partitions", type=int, nargs="*", default=[4, 16])
    parser.add_argument("--partitions", type=int, nargs="*", default=[4, 16, 64])
    parser.add_argument("--output", type=Path, default=Path("build/bench/transactions.json"))
    arguments = parser.parse_args()
    texts = read_texts(EXAMPLES)
    modes = tuple(COMPARED[arguments.compare])
    found = Rounds(modes[0])

    def add(what: str, mode: str, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            found.add(f"{what}: {name}", mode, value)

    with broker(None) as base:
        settings = {
            mode: _with(base, worker) for mode, worker in COMPARED[arguments.compare].items()
        }
        for mode in modes:  # the broker compiles its code
            _drained(settings[mode], texts, arguments.reviews, 16)
        capacity = arguments.capacity or measure_capacity(
            base, texts, model_alone(base, texts), arguments.seconds
        )
        note(f"capacity {capacity:,.0f}/s")
        for turn in range(arguments.rounds):
            order = modes if turn % 2 == 0 else modes[::-1]
            for load in arguments.loads:
                for partitions in arguments.loaded_partitions:
                    for mode in order:
                        what = f"{load:.0%} load, {partitions} partitions"
                        rate = capacity * load
                        measured = _latency(
                            settings[mode], texts, rate, arguments.seconds, partitions
                        )
                        add(what, mode, measured)
            for partitions in arguments.partitions:
                for mode in order:
                    what = f"free model, {partitions} partitions"
                    add(what, mode, _drained(settings[mode], texts, arguments.reviews, partitions))
    found.report(arguments.output, capacity=capacity)


if __name__ == "__main__":
    main()
