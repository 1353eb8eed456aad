"""``python -m tests.faults.fuzz``: malformed messages through decoding and routing, by the thousand.

Each message is a valid event that was damaged (bytes flipped, cut, doubled, spliced; fields of the
wrong type, missing, absurd; an envelope around it; Avro, Protobuf), or noise. It must end as exactly
one message: at its category or the relabel topic if it is still a review, or as a dead letter that
keeps the original bytes and names a reason that the contract knows; a delete ends as none. Nothing may
raise. Messages are read by damaged schemas as well.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Final

import numpy as np
import typer
from aiokafka import ConsumerRecord, TopicPartition
from rich.console import Console
from rich.table import Table

from schemas import CategorizedReview, IncomingReader, RelabelTask, TopicNames, decode
from stream.exactly_once.message import Message
from stream.worker.cache import CachedPrediction
from stream.worker.input_event import InputEvent, decode_event
from stream.worker.routing import Router
from tests.faults import report
from tests.faults.fuzz_registered import Registered, damaged_schema, read_by, registered_message

_messages: Final = Console(stderr=True)
_VALID: Final[dict[str, Any]] = {
    "schema_version": 1,
    "review_id": "r-1",
    "text": "Сапоги удобные, тёплые; ношу вторую зиму",
    "metadata": {"shop": "север", "stars": 5},
}
# What JSON can hold and nobody expects: lone surrogates, huge and tiny numbers, depth, control
# characters, text that folds to nothing, homographs, an emoji of many code points.
_ABSURD: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", " ", "\0", "\ud800",
    "\u200b\u200d\ufeff", "a" * 70_000, "\u0301" * 500, "👩‍👩‍👧‍👦" * 50, [], {}, [[]] * 100,
    {"a": {"a": {"a": {}}}}, "9" * 5000, "\u202e", "<script>",
)  # fmt: skip


_MESSAGES_A_SCHEMA: Final = 5

# All that the router asks of a model.
_MODEL: Final[Any] = SimpleNamespace(
    version="fuzz", rule=SimpleNamespace(thresholds=np.full(9, 0.5, dtype=np.float32))
)


@dataclass(slots=True)
class Tally:
    """What became of the messages."""

    messages: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """By ``dead-letter:<code>``, or ``routed``."""
    failures: list[str] = field(default_factory=list)
    """Messages that raised or ended wrongly, and how."""


@dataclass(slots=True)
class _Processor:
    tp: TopicPartition
    epoch: int = 0


def malformed(rng: random.Random) -> Iterator[bytes | None]:
    """Yield damaged messages without end."""
    ways: tuple[Callable[[random.Random], bytes | None], ...] = (
        _flipped, _flipped, _cut, _spliced, _noise, _field, _field, _field, _nested, _nothing,
        _wrapped, _wrapped, registered_message, registered_message,
    )  # fmt: skip
    while True:
        yield rng.choice(ways)(rng)


def fuzz(count: int, seed: int) -> Tally:
    """Send so many damaged messages through the worker's own decoding and routing."""
    rng = random.Random(seed)
    topics, tally = TopicNames("fuzz"), Tally()
    router = Router(topics, "group", "worker")
    processor = _Processor(TopicPartition(topics.incoming, 3))
    source = malformed(rng)
    reader = IncomingReader(registered=Registered())
    for offset in range(count):
        value = next(source)
        tally.messages += 1
        try:
            record = _record(processor.tp, offset, value, rng)
            event = decode_event(processor, record, 0.0, reader=reader)
            if event.deleted:
                _expect(event.review is None and event.rejection is None, "deleted, and more")
                tally.ends["deleted"] += 1
                continue
            if event.rejection is None:
                _classify(event, rng)
            tally.ends[_ending(router.route(event), event, topics)] += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.failures.append(f"{type(error).__name__}: {error}; message {value!r:.300}")
    return tally


def fuzz_schemas(count: int, seed: int) -> Tally:
    """Read messages by so many damaged schemas."""
    rng, tally = random.Random(seed), Tally()
    for _ in range(count):
        tally.messages += 1
        schema = damaged_schema(rng)
        try:
            tally.ends[read_by(schema, rng)] += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.failures.append(f"{type(error).__name__}: {error}; schema {schema:.300}")
    return tally


def _classify(event: InputEvent, rng: random.Random) -> None:
    probabilities = np.asarray([rng.random() + 1e-9 for _ in range(9)], dtype=np.float32)
    probabilities /= probabilities.sum()
    event.model = _MODEL
    event.prediction = CachedPrediction(probabilities, 8, 0)
    event.best = int(probabilities.argmax())
    event.confidence = float(probabilities[event.best])
    event.sure = rng.random() < 0.5


def _ending(message: Message, event: InputEvent, topics: TopicNames) -> str:
    if event.rejection is None:
        _expect(message.topic in {*topics.categories, topics.relabel}, "neither topic")
        kind: type[CategorizedReview | RelabelTask] = CategorizedReview
        if not event.sure:
            kind = RelabelTask
        published = decode(kind, message.value)
        _expect(published.review == event.review, "the review changed")
        return "routed"
    headers = dict(message.headers)
    _expect(message.topic == topics.dead_letter, "a rejection off the dead-letter topic")
    _expect(message.value == event.record.value, "the original bytes changed")
    codes = [value for name, value in headers.items() if value == event.rejection.code.encode()]
    _expect(bool(codes) and bool(event.rejection.message), "no reason")
    return f"dead-letter:{event.rejection.code}"


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _record(
    tp: TopicPartition, offset: int, value: bytes | None, rng: random.Random
) -> ConsumerRecord:
    key = rng.choice([None, b"", b"\xff\xfe", b"r-1", rng.randbytes(40)])
    headers = rng.choice([(), (("uid", b"1"),), (("", b""), ("\u0301", b"\xff"))])
    return ConsumerRecord(
        tp.topic, tp.partition, offset, 1_700_000_000_000, 0, key, value, None, -1, -1, headers
    )


def _bytes(rng: random.Random) -> bytes:
    return json.dumps(_VALID, ensure_ascii=rng.random() < 0.5).encode()


def _flipped(rng: random.Random) -> bytes:
    data = bytearray(_bytes(rng))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _cut(rng: random.Random) -> bytes:
    data = _bytes(rng)
    return data[: rng.randrange(len(data))] + data[rng.randrange(len(data)) :]


def _spliced(rng: random.Random) -> bytes:
    data, at = _bytes(rng), rng.randrange(20)
    return data[:at] + rng.choice([b"\0", b"}", b"[", b'"', b"\\u12", data]) + data[at:]


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 2, 16, 300]))


def _nothing(rng: random.Random) -> bytes | None:
    return rng.choice([None, b"", b"null", b"[]", b"{}", b'"x"', b"1", b"\xef\xbb\xbf{}"])


def _nested(rng: random.Random) -> bytes:
    depth = rng.choice([10, 200, 2000])
    return rng.choice([b"[" * depth, b'{"metadata":' * depth + b"1" + b"}" * depth])


def _field(rng: random.Random) -> bytes:
    event = dict(_VALID)
    for _ in range(rng.randint(1, 2)):
        name = rng.choice([*_VALID, "extra", "__proto__"])
        if rng.random() < 0.2:
            event.pop(name, None)
        else:
            event[name] = rng.choice(_ABSURD)
    # Lone surrogates can only be written escaped.
    return json.dumps(event).encode()


def _wrapped(rng: random.Random) -> bytes:
    """Return an event, perhaps a damaged one, in one or two envelopes."""
    inner: Any = json.loads(_field(rng)) if rng.random() < 0.5 else dict(_VALID)
    for _ in range(rng.randint(1, 2)):
        inner = rng.choice(_ENVELOPES)(inner, rng)
    value = json.dumps(inner).encode()
    head = rng.choice([b"", b"", b"\x00\x00\x00\x00\x07", b"\xef\xbb\xbf", b"\x03\x00" + bytes(16)])
    return head + value if rng.random() < 0.9 else head + value[: rng.randrange(len(value))]


_ENVELOPES: Final[tuple[Callable[[Any, random.Random], Any], ...]] = (
    lambda inner, _: {"schema": {}, "payload": inner},
    lambda inner, rng: {
        "before": inner,
        "after": inner,
        "op": rng.choice(["c", "u", "d", None, []]),
    },
    lambda inner, _: {"specversion": "1.0", "id": "e", "data": inner},
    lambda inner, _: json.dumps(inner),
    lambda inner, rng: (
        inner | {"__deleted": rng.choice(["true", "false", []])}
        if isinstance(inner, dict)
        else [inner]
    ),
)


def main(
    messages: Annotated[int, typer.Option(help="How many.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the damage; 0: a new one.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("build/fuzz.json"),
) -> None:
    """Fuzz decoding and routing."""
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    _messages.print(f"seed {seed}: `--seed {seed}` repeats it")
    started = time.monotonic()
    tally = fuzz(messages, seed)
    by_schemas = fuzz_schemas(messages // _MESSAGES_A_SCHEMA, seed)
    tally.ends += by_schemas.ends
    tally.failures += by_schemas.failures
    seconds = time.monotonic() - started
    shown = Table(title=f"{tally.messages:,} malformed messages, {seconds:.0f} s, seed {seed}")
    shown.add_column("ended as")
    shown.add_column("messages", justify="right")
    for name, count in tally.ends.most_common():
        shown.add_row(name, f"{count:,}")
    shown.add_row("raised, or ended wrongly", f"{len(tally.failures):,}", style="bold")
    Console().print(shown)
    figures = {"seed": seed, "messages": tally.messages, "seconds": round(seconds, 1)}
    report.write(out, {**figures, "ends": tally.ends, "failures": tally.failures[:50]})
    for failure in tally.failures[:5]:
        _messages.print(failure, markup=False, highlight=False)
    if tally.failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
