"""The best settings of this machine: threads, size of a call, size of a micro-batch, linger."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.bench.latency import measure_latency
from stream.bench.report import Figure, interleave
from stream.containers import available_cores
from stream.model.classifier import Classifier
from stream.model.inference import Device
from stream.settings import Settings
from stream.text import normalize

CALL_TOKENS: Final = (256, 512, 1024, 2048, 4096)
BATCH_TOKENS: Final = (2048, 4096, 8192, 16_384)
# What is this close to the best counts as equal; then the smaller one answers sooner.
EQUAL_WITHIN: Final = 0.03
LINGERS_MS: Final = (2.0, 10.0, 20.0)
# Latencies of one linger differ so much from round to round.
LATENCY_EQUAL_WITHIN: Final = 0.15
_LINGER_ROUNDS: Final = 2
_LINGER_SECONDS: Final = 3.0
_SAMPLE: Final = 512
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found best, and the reviews a second of all that was tried."""

    threads: int
    chunk_tokens: int
    batch_tokens: int
    rate: float
    """Reviews a second of the model with these, without a pipeline around it."""
    figures: tuple[Figure, ...]


def tune(folder: Path, device: Device, texts: Sequence[str]) -> Tuning:
    """Try thread counts, then sizes of a call, then sizes of a micro-batch; each on the best before.

    Args:
        folder: model folder.
        device: where it runs.
        texts: reviews like those to come.

    Raises:
        ModelError: the folder cannot be loaded.
    """
    sample = [normalize(f"{texts[i % len(texts)]} {i}") for i in range(_SAMPLE)]

    def contender(threads: int, chunk: int, batch: int) -> Callable[[], float]:
        model = Classifier.load(folder, device, threads, chunk)
        return lambda: _rate(model, sample, batch)

    cores = available_cores()
    counts = sorted({1, max(cores // 2, 1), cores})
    by_threads = _measure({n: contender(n, 0, 8192) for n in counts}, "threads")
    threads = smallest_best(by_threads)
    by_call = _measure({n: contender(threads, n, 8192) for n in CALL_TOKENS}, "tokens a call")
    call = smallest_best(by_call)
    by_batch = _measure(
        {n: contender(threads, call, n) for n in BATCH_TOKENS}, "tokens a micro-batch"
    )
    figures = (*by_threads.values(), *by_call.values(), *by_batch.values())
    batch = smallest_best(by_batch)
    return Tuning(threads, call, batch, by_batch[batch].median, figures)


def tune_linger(
    settings: Settings, texts: Sequence[str], rate: float
) -> tuple[float, tuple[Figure, ...]]:
    """Try lingers with a whole worker, Kafka to Kafka, under a steady load.

    The first measurement warms the broker up and counts for nothing.

    Args:
        settings: connection and model; topics are made under names of their own.
        texts: reviews like those to come.
        rate: reviews a second that arrive; well below what the machine can do.

    Returns:
        The linger in milliseconds, and the p99 latency of all that were tried.
    """
    tried = {ms: Figure(f"{ms:g} ms linger", "ms p99") for ms in LINGERS_MS}

    def measure(ms: float) -> float:
        worker = settings.worker.model_copy(update={"linger_ms": ms})
        with_it = settings.model_copy(update={"worker": worker})
        return measure_latency(with_it, texts, rate, _LINGER_SECONDS).p99

    measure(LINGERS_MS[0])
    for _ in range(_LINGER_ROUNDS):
        for ms, figure in tried.items():
            figure.rounds.append(measure(ms))
    return largest_of_the_quick(tried), tuple(tried.values())


def largest_of_the_quick(
    latencies: dict[float, Figure], within: float = LATENCY_EQUAL_WITHIN
) -> float:
    """Return the largest linger whose latency is within a share of the best.

    Of lingers that are as quick, the largest makes the fewest transactions.
    """
    best = min(figure.median for figure in latencies.values())
    return max(ms for ms, figure in latencies.items() if figure.median <= best * (1 + within))


def smallest_best(figures: dict[int, Figure], within: float = EQUAL_WITHIN) -> int:
    """Return the smallest value whose rate is within a share of the best rate."""
    best = max(figure.median for figure in figures.values())
    return min(n for n, figure in figures.items() if figure.median >= best * (1 - within))


def with_values(toml: str, section: str, values: Mapping[str, float]) -> str:
    """Return a TOML text with numbers set in a section; all else, comments too, is kept.

    Args:
        toml: the text; may be empty.
        section: name of a table such as ``model``; added at the end if it is absent.
        values: numbers by key.
    """
    header = re.search(rf"^\[{re.escape(section)}\][^\n]*\n?", toml, re.MULTILINE)
    if header is None:
        before = toml.rstrip() + "\n\n" if toml.strip() else ""
        toml = f"{before}[{section}]\n"
        start = len(toml)
    else:
        start = header.end()
        if not header.group().endswith("\n"):
            toml, start = toml + "\n", start + 1
    following = re.search(r"^\[", toml[start:], re.MULTILINE)
    end = start + following.start() if following else len(toml)
    body = toml[start:end]
    for key, value in values.items():
        line = f"{key} = {value}"
        body, replaced = re.subn(
            rf"^{key}\s*=\s*[^\n#]*?(?=\s*(#|$))", line, body, flags=re.MULTILINE
        )
        if not replaced:
            body = f"{line}\n{body}"
    return toml[:start] + body + toml[end:]


def _measure(contenders: dict[int, Callable[[], float]], what: str) -> dict[int, Figure]:
    for contender in contenders.values():
        contender()  # warms up
    named = {f"{n:,} {what}": contender for n, contender in contenders.items()}
    figures = interleave(named, _ROUNDS, "reviews/s")
    return dict(zip(contenders, figures, strict=True))


def _rate(model: Classifier, texts: Sequence[str], batch_tokens: int) -> float:
    """Return reviews a second when texts come in micro-batches of a token budget."""
    ids = model.entry.tokenize(texts).ids
    batches: list[list[str]] = [[]]
    used = 0
    for text, row in zip(texts, ids, strict=True):
        if used + len(row) > batch_tokens and batches[-1]:
            batches.append([])
            used = 0
        batches[-1].append(text)
        used += len(row)
    started = time.perf_counter()
    for batch in batches:
        model.classify(batch)
    return len(texts) / (time.perf_counter() - started)
