"""``python -m tests.faults.fuzz_batches``: damaged record batches, by the ten thousand.

Each case is a partition of three batches, of which the one in the middle was damaged (bits flipped,
cut, fields of the header changed, codecs swapped, sizes and counts absurd, records spliced), with
its checksum made right again or not. Read as a worker reads it, the partition must come to its end
in bounded fetches, time and memory; the batches around the damage must come out whole; no offset
may come twice; and each record or stub must end as one message that can be written.
"""

from __future__ import annotations

import logging
import random
import resource
import struct
import time
from binascii import crc32
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Final

import structlog
import typer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from rich.console import Console
from rich.table import Table

from schemas import Review, TopicNames, encode
from schemas.topics import DEAD_LETTER_MAX_BYTES
from stream.exactly_once.message import Message
from stream.kafka.reading import Bounds, unreadable_in
from stream.worker.input_event import decode_event
from stream.worker.routing import Router
from tests.faults import report
from tests.support.record_batches import (
    CODECS,
    HEADER,
    TP,
    Fetches,
    batch,
    compressed,
    legacy,
    offsets_told,
    raw_batch,
    record_bytes,
    sealed,
    varint,
)
from tests.support.record_batches import (
    Message as Written,
)

_messages: Final = Console(stderr=True)
_BOUNDS: Final = Bounds(piece_bytes=64 * 1024, batch_bytes=1024 * 1024, again_seconds=0)
# Offsets of the batch before, of the damaged one, and of the one behind.
_BEFORE, _DAMAGED, _BEHIND = 2, 6, 2
_END: Final = _BEFORE + _DAMAGED + _BEHIND
_SECONDS: Final = 5.0
_ABSURD: Final = (0, 1, -1, 2, 127, 128, 255, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 10**6)


@dataclass(slots=True)
class BatchTally:
    """What became of the damaged batches."""

    cases: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """By damage and what was read of the batch: ``whole``, ``part``, ``told`` or ``compacted``."""
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds of the slowest case."""


def damaged_batches(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged batches without end, each with the name of its damage."""
    rng = random.Random(seed)
    names = list(_DAMAGES)
    while True:
        name = rng.choice(names)
        yield name, _DAMAGES[name](rng, rng.choice(list(CODECS.values())))


def fuzz_batches(count: int, seed: int) -> BatchTally:
    """Read so many damaged batches."""
    tally = BatchTally()
    for name, damaged in islice(damaged_batches(seed), count):
        tally.cases += 1
        started = time.monotonic()
        try:
            tally.ends[f"{name}: {_ending(damaged)}"] += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            tally.failures.append(f"{name}: {type(error).__name__}: {error}; {damaged.hex()[:600]}")
        tally.slowest = max(tally.slowest, time.monotonic() - started)
        if tally.slowest > _SECONDS:
            tally.failures.append(f"{name}: {tally.slowest:.1f} s; {damaged.hex()[:600]}")
    return tally


def _ending(damaged: bytes) -> str:
    behind = _BEFORE + _DAMAGED
    log = [
        (_BEFORE - 1, batch(_written(0, _BEFORE))),
        (behind - 1, damaged),
        (_END - 1, batch(_written(behind, _BEHIND), base=behind)),
    ]
    records = Fetches(log, _END, _BOUNDS).read(most=60)
    told = offsets_told(records)
    _expect(told == sorted(set(told)), f"offsets {told}")
    _expect(told[:_BEFORE] == list(range(_BEFORE)), "the batch before")
    _expect(told[-_BEHIND:] == list(range(behind, _END)), "the batch behind")
    for record in (*records[:_BEFORE], *records[-_BEHIND:]):
        _expect(record.value == _value(record.offset), "a record of another batch")
    _route(records)
    middle = [r for r in records if _BEFORE <= r.offset < behind]
    stubs = [r for r in middle if unreadable_in(r) is not None]
    if len(stubs) == len(middle):
        return "told" if middle else "compacted"
    if stubs:
        return "part"
    return "whole" if len(told) == _END else "compacted"


def _route(records: list[Any]) -> None:
    """Make what a worker would publish of rejected records, down to the bytes."""
    router = Router(TopicNames("fuzz"), "group", "worker")
    for record in records:
        event = decode_event(SimpleNamespace(tp=TP, epoch=0), record, 0.0)
        if event.rejection is None:
            continue
        message: Message = router.route(event)
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=1,
            producer_id=1,
            producer_epoch=0,
            base_sequence=0,
            batch_size=1024,
        )
        builder.append(0, 0, message.key, message.value, message.headers)
        _expect(len(builder.build()) <= DEAD_LETTER_MAX_BYTES, "a dead letter above its topic")


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _value(offset: int) -> bytes:
    return encode(Review(review_id=f"r{offset}", text=f"Сапоги удобные, вторая зима {offset}"))


def _written(first: int, count: int) -> list[Written]:
    return [
        (b"r%d" % i, _value(i), [("traceparent", b"00-0"), ("пустой", None)])
        for i in range(first, first + count)
    ]


def _whole(codec: int) -> bytes:
    return batch(_written(_BEFORE, _DAMAGED), base=_BEFORE, codec=codec)


def _flipped(rng: random.Random, codec: int) -> bytes:
    data = bytearray(_whole(codec))
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(17, len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _flipped_records(rng: random.Random, codec: int) -> bytes:
    data = bytearray(_whole(codec))
    for _ in range(rng.randint(1, 5)):
        data[rng.randrange(HEADER.size, len(data))] ^= 1 << rng.randrange(8)
    return sealed(bytes(data))


def _flipped_plain(rng: random.Random, codec: int) -> bytes:
    """Damage records before they are compressed: the codec finds nothing wrong."""
    data = bytearray(_whole(0))
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(HEADER.size, len(data))] = rng.randrange(256)
    return _packed(bytes(data), codec)


def _packed(plain: bytes, codec: int) -> bytes:
    fields = list(HEADER.unpack_from(plain))
    fields[5] |= codec
    return sealed(HEADER.pack(*fields) + compressed(codec, plain[HEADER.size :]))


def _cut(rng: random.Random, codec: int) -> bytes:
    data = _whole(codec)
    return data[: rng.randrange(len(data))]


def _cut_sealed(rng: random.Random, codec: int) -> bytes:
    data = _whole(codec)
    return sealed(data[: rng.randrange(HEADER.size, len(data))])


def _header_field(rng: random.Random, codec: int) -> bytes:
    """Change what the batch says of itself; its checksum is right."""
    data = _whole(codec)
    fields = list(HEADER.unpack_from(data))
    # Not the offset, which is the broker's own, and not the length, which frames it.
    at = rng.choice([3, 5, 6, 7, 8, 9, 10, 11, 12])
    width = {3: 7, 5: 15, 10: 15}.get(at, 31)
    fields[at] = rng.choice([n for n in _ABSURD if -(1 << width) <= n < 1 << width])
    return sealed(HEADER.pack(*fields) + data[HEADER.size :])


def _length(rng: random.Random, codec: int) -> bytes:
    data = bytearray(_whole(codec))
    struct.pack_into(">i", data, 8, rng.choice(_ABSURD))
    return bytes(data)


def _codec_swapped(rng: random.Random, codec: int) -> bytes:
    data = bytearray(_whole(codec))
    data[22] = data[22] & ~7 | rng.randrange(8)
    return sealed(bytes(data))


def _spliced(rng: random.Random, codec: int) -> bytes:
    data, at = _whole(0)[HEADER.size :], rng.randrange(60)
    extra = rng.choice([data, rng.randbytes(40), b"\xff" * 12, varint(2**31), b"\0" * 30])
    return raw_batch(data[:at] + extra + data[at:], _DAMAGED, base=_BEFORE, codec=codec)


def _absurd_record(rng: random.Random, codec: int) -> bytes:
    """Records with absurd sizes, offsets, headers; what stands around them is right."""
    numbers = (-1, 0, 5, 2**31, -(2**31), 2**40, 2**62)
    name = rng.choice([b"\xff\xfe", b"", b"\xed\xa0\x80", "ж".encode() * 600, b"dlq.error.code"])
    headers = [(name, rng.randbytes(rng.choice([0, 3, 2000])))] * rng.choice([0, 1, 50, 3000])
    records = [record_bytes(i, b"k", b"v", headers if i == 2 else ()) for i in range(_DAMAGED)]
    if rng.random() < 0.6:
        body = bytearray(b"\0" + varint(rng.choice(numbers)))
        body += varint(rng.choice((*numbers, 3))) + varint(rng.choice(numbers)) + b"kkk"
        body += varint(rng.choice(numbers)) + b"vvv" + varint(rng.choice(numbers))
        length = rng.choice([len(body), *numbers])
        records[3] = varint(length) + bytes(body)
    return raw_batch(b"".join(records), _DAMAGED, base=_BEFORE, codec=codec)


def _bomb(rng: random.Random, codec: int) -> bytes:
    size = rng.choice([60_000, 70_000, 400_000, 1_100_000, 3_000_000])
    large = bytes([rng.randrange(256)]) * size
    fields = rng.choice([(large, b"v"), (b"k", large), (None, large)])
    at = rng.randrange(_DAMAGED)
    written = _written(_BEFORE, _DAMAGED)
    written[at] = (*fields, [("h", large[: size // 2])] if rng.random() < 0.3 else [])
    return batch(written, base=_BEFORE, codec=codec)


def _old_format(rng: random.Random, codec: int) -> bytes:
    magic = rng.randrange(2)
    # The format of 0.8 has no LZ4 that two programs agree on, and neither has zstd.
    codec = codec if codec in (0, 1, 2) else 3 if magic and codec == 3 else 0
    written = _written(_BEFORE, _DAMAGED)
    if rng.random() < 0.2:
        written[2] = (b"k", bytes(rng.choice([100_000, 2_000_000])), [])
    if not codec:
        return legacy(magic, written[-1:], base=_BEFORE + _DAMAGED - 1)
    return legacy(magic, written, base=_BEFORE, codec=codec)


def _old_format_damaged(rng: random.Random, codec: int) -> bytes:
    data = bytearray(_old_format(rng, codec))
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(17, len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.7:
        struct.pack_into(">I", data, 12, crc32(bytes(data[16:])))
    return bytes(data)


def _noise(rng: random.Random, _codec: int) -> bytes:
    return rng.randbytes(rng.choice([1, 11, 12, 13, 26, 60, 61, 62, 500]))


_DAMAGES: Final[dict[str, Callable[[random.Random, int], bytes]]] = {
    "bits flipped": _flipped,
    "bits flipped, checksum right": _flipped_records,
    "bytes changed before compression": _flipped_plain,
    "cut off": _cut,
    "cut off, checksum right": _cut_sealed,
    "header field": _header_field,
    "length": _length,
    "codec swapped": _codec_swapped,
    "records spliced": _spliced,
    "absurd records and headers": _absurd_record,
    "far larger when read": _bomb,
    "old format": _old_format,
    "old format, damaged": _old_format_damaged,
    "noise": _noise,
}


def main(
    batches: Annotated[int, typer.Option(help="How many.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the damage; 0: a new one.")] = 0,
    out: Annotated[Path, typer.Option(help="Where figures go.")] = Path("build/fuzz-batches.json"),
) -> None:
    """Fuzz the reading of record batches."""
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    _messages.print(f"seed {seed}: `--seed {seed}` repeats it")
    # Each batch that is passed over has its line, which would be a hundred thousand.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    started = time.monotonic()
    tally = fuzz_batches(batches, seed)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    title = f"{tally.cases:,} damaged batches, {seconds:.0f} s, at most {peak} MiB, seed {seed}"
    shown = Table(title=title)
    shown.add_column("damage, and what was read of the batch")
    shown.add_column("batches", justify="right")
    for name, count in sorted(tally.ends.items()):
        shown.add_row(name, f"{count:,}")
    shown.add_row("raised, stood, or ended wrongly", f"{len(tally.failures):,}", style="bold")
    Console().print(shown)
    figures = {"seed": seed, "batches": tally.cases, "seconds": round(seconds, 1), "peak_mib": peak}
    figures["slowest_seconds"] = round(tally.slowest, 3)
    report.write(out, {**figures, "ends": tally.ends, "failures": tally.failures[:50]})
    for failure in tally.failures[:5]:
        _messages.print(failure, markup=False, highlight=False)
    if tally.failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
