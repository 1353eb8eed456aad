"""``python -m tests.bench.rebalance_pause``: how long partitions pause when a worker joins or leaves.

Real workers with a tiny model, 16 partitions, eight reviews a second in every partition. A pause is the
longest that a review of a partition waited, from its producer to a reader of committed summaries. Workers
are loaded before the measurement begins, so that a start takes no processor from the others. Beside
it stands the longest wait in as many seconds without a rebalance: the machine's own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.local import LocalKafka
from schemas import BatchSummary, TopicNames, decode
from stream.cli.console import note
from stream.kafka.clients import group_reader
from stream.kafka.topic_creation import create_topics
from stream.kafka.topics import await_leaders
from stream.logs import configure_logs
from stream.model.classifier import Classifier
from stream.settings import load_settings
from stream.worker.app import Worker
from tests.faults.doubles import report
from tests.faults.fleet import Member
from tests.support.tiny_model import KEYWORDS, write_tiny_model

PARTITIONS: Final = 16
WORKERS: Final = 4
_EVERY_SECONDS: Final = 0.125
# The default heartbeat is a second; whoever is to hear of a rebalance has heard, and all is quiet again.
_WINDOW_SECONDS: Final = 4.0
_SETTLE_SECONDS: Final = 2.0
# A JVM is slow until it has compiled what it runs.
_WARM_SECONDS: Final = 8.0


class Commits:
    """When each partition committed, who did it, and how long the oldest review had waited."""

    def __init__(self) -> None:
        self._seen: dict[int, list[tuple[float, str, float]]] = defaultdict(list)

    def add(self, summary: BatchSummary) -> None:
        """Note one transaction, just now."""
        now = time.time()
        waited = now - summary.first_event_at.timestamp()
        self._seen[summary.source_partition].append((now, summary.worker, waited))

    @property
    def all_flow(self) -> bool:
        """Whether every partition has committed something."""
        return len(self._seen) == PARTITIONS

    def pauses(self, began: float) -> tuple[list[float], list[float]]:
        """Return the longest wait in each partition that stayed with one worker, and in those that moved.

        Args:
            began: what was produced before does not count.
        """
        stayed, moved = [], []
        for seen in self._seen.values():
            within = [(worker, waited) for at, worker, waited in seen if at - waited >= began]
            before = [worker for at, worker, waited in seen if at - waited < began][-1:]
            owners = {*before, *(worker for worker, _ in within)}
            longest = max((waited for _, waited in within), default=_WINDOW_SECONDS)
            (stayed if len(owners) == 1 else moved).append(longest)
        return stayed, moved


async def _read(kafka: Any, topic: str, commits: Commits) -> None:
    reader = group_reader(kafka, None, "latest")
    reader.subscribe([topic])
    await reader.start()
    try:
        async for record in reader:
            commits.add(decode(BatchSummary, record.value))
    finally:
        await reader.stop()


async def _produce(servers: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        number, due = 0, time.monotonic()
        while True:
            value = {"review_id": f"r{number}", "text": f"{KEYWORDS[number % 9]} {number}"}
            encoded = json.dumps(value).encode()
            await producer.send(topic, encoded, partition=number % PARTITIONS)
            number, due = number + 1, due + _EVERY_SECONDS / PARTITIONS
            await asyncio.sleep(due - time.monotonic())
    finally:
        await producer.stop()


@asynccontextmanager
async def _background(*coroutines: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _round(servers: str, folder: Path, mode: str) -> list[dict[str, Any]]:
    """Scale from one worker to four and back; return every rebalance, and quiet times beside them."""
    prefix = f"pause-{uuid.uuid4().hex[:8]}"
    settings = load_settings(
        kafka={"bootstrap_servers": servers}, topics={"prefix": prefix, "partitions": PARTITIONS}
    )
    names: TopicNames = settings.topic_names
    created = await create_topics(settings)
    await await_leaders(settings.kafka, [topic.name for topic in created])
    environment = {
        "REVIEWS_KAFKA__BOOTSTRAP_SERVERS": servers,
        "REVIEWS_TOPICS__PREFIX": prefix,
        "REVIEWS_WORKER__GROUP": prefix,
        "REVIEWS_WORKER__TRANSACTIONS": mode,
        "REVIEWS_CACHE__URL": "",
        "REVIEWS_HTTP__ENABLED": "false",
        "REVIEWS_LOG__FORMAT": "json",
    }
    members = []
    for number in range(WORKERS):
        name = f"{prefix}-{number}"
        command = ("-m", "tests.bench.rebalance_pause", "--member", str(folder / "model"))
        environment["REVIEWS_WORKER__NAME"] = name
        members.append(Member(command, dict(environment), folder / f"{name}.log"))
        await members[-1].start()
        await members[-1].heard("loaded")
    commits, found = Commits(), []

    async def measured(what: str, workers: int) -> None:
        began = time.time()
        await asyncio.sleep(_WINDOW_SECONDS)
        stayed, moved = commits.pauses(began)
        found.append({"what": what, "workers": workers, "stayed": stayed, "moved": moved})

    try:
        await members[0].tell(go=True)
        await members[0].heard("ready")
        async with _background(
            _read(settings.kafka, names.batches, commits), _produce(servers, names.incoming)
        ):
            while not commits.all_flow:  # noqa: ASYNC110 - the reader sees it, and tells nobody
                await asyncio.sleep(_EVERY_SECONDS)
            await asyncio.sleep(_WARM_SECONDS)
            for count in range(1, WORKERS):
                await measured("quiet", count)
                await members[count].tell(go=True)
                await measured("join", count + 1)
                await asyncio.sleep(_SETTLE_SECONDS)
            for count in range(WORKERS, 1, -1):
                leaving = asyncio.create_task(members[count - 1].stop())
                await measured("leave", count - 1)
                await leaving
                await asyncio.sleep(_SETTLE_SECONDS)
    finally:
        await asyncio.gather(*(member.kill() for member in members if member.alive))
    return found


async def _member(folder: Path) -> None:
    """Be a worker that has loaded everything and begins when it is told to."""
    settings = load_settings()
    configure_logs(settings.log, ())
    worker = Worker(settings, Classifier.load(folder, "cpu", 1, 0))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    report("loaded")
    await asyncio.to_thread(sys.stdin.readline)
    working = asyncio.create_task(worker.run(stop))
    while not worker.ready:  # noqa: ASYNC110 - as a probe does
        await asyncio.sleep(0.05)
    report("ready")
    await working


def _figures(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return milliseconds by what happened and how many workers there were afterwards."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for one in found:
        for kind in ("stayed", "moved"):
            grouped[f"{one['what']} to {one['workers']}, {kind}"] += one[kind]
            grouped[f"{one['what']}, {kind}"] += one[kind]
    return {name: _quantiles(gaps) for name, gaps in sorted(grouped.items()) if gaps}


def _quantiles(gaps: Sequence[float]) -> dict[str, float]:
    ordered = sorted(gaps)
    return {
        "n": len(ordered),
        "p50_ms": round(1000 * statistics.median(ordered)),
        "p99_ms": round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]),
        "max_ms": round(1000 * ordered[-1]),
    }


async def _measure(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="reviews-pause-") as name:
        folder = Path(name)
        write_tiny_model(folder / "model")
        kafka = LocalKafka(folder / "kafka")
        await asyncio.to_thread(kafka.start)
        try:
            for mode in arguments.modes:
                found = []
                for number in range(arguments.rounds):
                    found += await _round(kafka.bootstrap_servers, folder, mode)
                    note(f"{mode}: round {number + 1} of {arguments.rounds}")
                figures = _figures(found)
                for what, quantiles in figures.items():
                    note(f"{mode}, {what}: {quantiles}")
                arguments.output.mkdir(parents=True, exist_ok=True)
                path = arguments.output / f"rebalance-pause-{mode}.json"
                path.write_text(json.dumps({"figures": figures, "raw": found}, indent=1))
        except KafkaError:
            note(f"see the logs in {folder}")
            raise
        finally:
            kafka.kill_all()


def main() -> None:
    """Measure, or be a member of what is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", nargs="*", default=["partition", "worker"])
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("--member", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    asyncio.run(_member(arguments.member) if arguments.member else _measure(arguments))


if __name__ == "__main__":
    main()
