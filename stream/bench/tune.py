"""The best inference settings of this machine: threads, size of a call, size of a micro-batch."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.bench.report import Figure, interleave
from stream.classifier import Classifier
from stream.inference import Device, available_cores
from stream.text import normalize

CALL_TOKENS: Final = (256, 512, 1024, 2048, 4096)
BATCH_TOKENS: Final = (2048, 4096, 8192, 16_384)
# What is this close to the best counts as equal; then the smaller one answers sooner.
EQUAL_WITHIN: Final = 0.03
_SAMPLE: Final = 512
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found best, and the reviews a second of all that was tried."""

    threads: int
    chunk_tokens: int
    batch_tokens: int
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
    return Tuning(threads, call, smallest_best(by_batch), figures)


def smallest_best(figures: dict[int, Figure], within: float = EQUAL_WITHIN) -> int:
    """Return the smallest value whose rate is within a share of the best rate."""
    best = max(figure.median for figure in figures.values())
    return min(n for n, figure in figures.items() if figure.median >= best * (1 - within))


def with_values(toml: str, section: str, values: dict[str, int]) -> str:
    """Return a TOML text with whole numbers set in a section; all else, comments too, is kept.

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
    ids = model.tokenize(texts).ids
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
