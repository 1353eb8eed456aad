"""Other ways to do the same work, on the same broker, with the same reviews and weights.

``python -m tests.bench.peers FOLDER`` measures against the folder that
:mod:`tests.bench.starter_shape` wrote. Each contender is one process; its rate is what arrived
between the first and the last output seen, so that start-up does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas import all_categories
from stream.bench.cluster import drained, fresh_topics, numbered, publish, workers
from stream.bench.plot import draw
from stream.bench.report import BenchmarkReport, Figure, interleave
from stream.cli.console import note, out
from stream.cli.local import local_stack
from stream.kafka.connection import connection_options
from stream.model.classifier import Classifier
from stream.settings import Settings, load_settings
from stream.text import normalize
from tests.bench.guard import OURS

EXAMPLES: Final = (
    Path(__file__).resolve().parents[2] / "deploy" / "taxonomies" / "marketplace" / "examples.jsonl"
)
LOOP: Final = "tutorial loop"
FAUST: Final = "Faust take() + ONNX Runtime"
QUIX: Final = "Quix Streams + ONNX Runtime"
BYTEWAX: Final = "Bytewax + ONNX Runtime"
# About eight seconds each.
_REVIEWS: Final = {LOOP: 1_000, FAUST: 10_000, QUIX: 8_000, BYTEWAX: 20_000, OURS: 20_000}
_GUARANTEES: Final = {
    LOOP: "at least once (auto-commit: may also lose)",
    FAUST: "at least once",
    QUIX: "exactly once; one at a time",
    BYTEWAX: "none as run (at least once with recovery)",
    OURS: "exactly once; Redis on",
}
_TIMEOUT: Final = 120.0
# Their dependencies are none of ours: they live in an environment of their own, where there is one.
_OTHERS: Final = {QUIX: "tests.bench.peer_quix", BYTEWAX: "tests.bench.peer_bytewax"}
OTHERS_PYTHON: Final = Path("build/bench/peers/bin/python")
_OTHERS_NEED: Final = "quixstreams bytewax onnxruntime tokenizers numpy pydantic-settings structlog"


def bench_peers(settings: Settings, texts: Sequence[str], rounds: int) -> BenchmarkReport:
    """Measure reviews a second of each contender in interleaved rounds."""
    names = [LOOP, FAUST]
    if OTHERS_PYTHON.is_file():
        names += _OTHERS
    else:
        environment = OTHERS_PYTHON.parents[1]
        note(f"left out: {', '.join(_OTHERS)}; they need an environment of their own:")
        note(f"  python -m venv {environment}; {environment}/bin/pip install {_OTHERS_NEED}")
    contenders: dict[str, Callable[[], float]] = {
        name: partial(_measure_peer, settings, texts, name) for name in names
    }
    contenders[OURS] = lambda: asyncio.run(_ours(settings, texts))
    figures: list[Figure] = interleave(contenders, rounds, "reviews/s")
    for figure in figures:
        figure.note = _GUARANTEES[figure.name]
    return BenchmarkReport("Peers", OURS, figures)


def _measure_peer(settings: Settings, texts: Sequence[str], name: str) -> float:
    return asyncio.run(_peer(settings, texts, name))


async def _ours(base: Settings, texts: Sequence[str]) -> float:
    count = _REVIEWS[OURS]
    async with fresh_topics(base) as settings:
        await publish(settings, numbered(texts, count))
        with workers(settings, 1, None):
            return (await drained(settings, count)).rate


async def _peer(base: Settings, texts: Sequence[str], name: str) -> float:
    count = _REVIEWS[name]
    async with fresh_topics(base) as settings:
        await publish(settings, numbered(texts, count))
        return await _rate_of(settings, name, count)


async def _rate_of(settings: Settings, name: str, count: int) -> float:
    """Run a peer's process on topics that hold so many reviews."""
    source, target = settings.topic_names.incoming, settings.topic_names.relabel
    with tempfile.TemporaryDirectory() as data:
        folder, servers = str(settings.model.folder), settings.kafka.bootstrap_servers
        if name in _OTHERS:
            command = [str(OTHERS_PYTHON), "-m", _OTHERS[name], folder, servers, source, target]
        else:
            command = [
                *(sys.executable, "-W", "ignore", "-m", "tests.bench.peers"),
                *(folder, "--run", name, "--data", data),
                *("--servers", servers, "--source", source, "--target", target),
            ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - our own
        try:
            return await _arrival_rate(settings, target, count, process)
        finally:
            process.terminate()
            process.wait(30)


async def _arrival_rate(
    settings: Settings, topic: str, count: int, process: subprocess.Popen[bytes]
) -> float:
    partitions = [TopicPartition(topic, n) for n in range(settings.topics.partitions)]
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka))
    await consumer.start()
    try:
        async with asyncio.timeout(_TIMEOUT):
            began, at_first = 0.0, 0
            while True:
                arrived = sum((await consumer.end_offsets(partitions)).values())
                now = time.monotonic()
                if arrived and not at_first:
                    began, at_first = now, arrived
                if arrived >= count:
                    return (count - at_first) / (now - began)
                if process.poll() is not None:
                    raise RuntimeError(f"the peer ended with exit status {process.returncode}")
                await asyncio.sleep(0.05)
    finally:
        await consumer.stop()


async def run_loop(arguments: argparse.Namespace) -> None:
    """Run what most tutorials show: one review, one call of the model, one awaited send."""
    from transformers import pipeline  # noqa: PLC0415 - torch takes seconds to load

    labels = {f"LABEL_{i}": category.slug for i, category in enumerate(all_categories())}
    classify: Any = pipeline("text-classification", str(arguments.folder / "torch"), device="cpu")
    consumer = AIOKafkaConsumer(
        arguments.source,
        bootstrap_servers=arguments.servers,
        group_id="tutorial",
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=arguments.servers)
    await consumer.start()
    await producer.start()
    async for record in consumer:
        review = json.loads(record.value)
        best = classify(review["text"], truncation=True)[0]
        value = review | {"category": labels[best["label"]], "confidence": best["score"]}
        await producer.send_and_wait(
            arguments.target, json.dumps(value, ensure_ascii=False).encode(), key=record.key
        )


def run_faust(arguments: argparse.Namespace) -> None:
    """Run Faust with batches of 512 and the model that ours runs, in a thread."""
    import faust  # noqa: PLC0415 - only this peer needs it

    classifier = Classifier.load(arguments.folder)
    app = faust.App(
        "faust-peer",
        broker=f"aiokafka://{arguments.servers}",
        datadir=arguments.data,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        web_enabled=False,
    )
    source = app.topic(arguments.source, value_type=bytes, value_serializer="raw")
    target = app.topic(arguments.target, value_type=bytes, value_serializer="raw")

    async def classify(stream: Any) -> AsyncIterator[None]:
        async for batch in stream.take(512, within=0.05):
            reviews = [json.loads(value) for value in batch]
            texts = [normalize(review["text"]) for review in reviews]
            found = await asyncio.to_thread(classifier.classify, texts)
            for review, row in zip(reviews, found.probabilities, strict=True):
                best = int(row.argmax())
                value = review | {
                    "category": all_categories()[best].slug,
                    "confidence": float(row[best]),
                }
                await target.send(
                    key=review["review_id"].encode(),
                    value=json.dumps(value, ensure_ascii=False).encode(),
                )
            yield None

    app.agent(source)(classify)
    app.finalize()
    faust.Worker(app, loglevel="error").execute_from_commandline()


def main() -> None:
    """Measure all, or be one of the peers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    for name in ("--run", "--servers", "--source", "--target", "--data"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run == LOOP:
        asyncio.run(run_loop(arguments))
    elif arguments.run == FAUST:
        run_faust(arguments)
    else:
        _measure(arguments)


def _measure(arguments: argparse.Namespace) -> None:
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    texts = [str(json.loads(line)["text"]) for line in lines]
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder)) as stack:
        settings = load_settings(
            kafka={"bootstrap_servers": stack.bootstrap_servers},
            cache={"url": stack.redis_url},
            model={"folder": arguments.folder},
        )
        report = bench_peers(settings, texts, arguments.rounds)
    out.print(report.table())
    path = report.write(arguments.output, "peers")
    draw(report, path.with_suffix(".png"))
    note(f"written to {path} and {path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
