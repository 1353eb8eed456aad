"""The serving model alone: batching strategies, threads, and its share of the machine's peak."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from stream.bench.cluster import FIRST_NUMBER
from stream.bench.doubles import split_classifier
from stream.bench.report import BenchmarkReport, interleave
from stream.bench.roofline import matmul_flops, operations_per_token
from stream.model.classifier import Classifier
from stream.model.folder import CPU_GRAPH
from stream.text import normalize

# As many as a full micro-batch of the worker holds.
BATCH_ROWS: Final = 512
_SAMPLE: Final = 2048
# Word pieces of a call that has all cores to itself.
SPLIT_TOKENS: Final = 2048


def bench_model(
    folder: Path, texts: Sequence[str], rounds: int = 5, threads: int = 0
) -> BenchmarkReport:
    """Measure reviews a second by batching strategy, and operations against the roofline.

    Args:
        folder: model folder.
        texts: real reviews; two thousand, cycling and numbered as the pipeline benchmark does.
        rounds: interleaved rounds.
        threads: inference threads; 0 for all cores.

    All but ours make one call at a time and leave it to ONNX Runtime to split it over the cores.
    """
    sample = sample_of(texts)
    model = Classifier.load(folder, "cpu", threads)
    split = split_classifier(folder, threads, SPLIT_TOKENS)
    ids = model.last.tokenize(sample).ids
    strategies: dict[str, Callable[[], float]] = {
        "one at a time": lambda: batch_rate(split, ids[:256], 1, ordered=False),
        "64 in arrival order": lambda: batch_rate(split, ids, 64, ordered=False),
        "32 sorted by length": lambda: batch_rate(split, ids, 32, ordered=True),
        "token budget": lambda: budget_rate(split, ids),
        "token budget, side by side (ours)": lambda: budget_rate(model, ids),
        "with tokenising": lambda: text_rate(model, sample),
    }
    figures = interleave(strategies, rounds, "reviews/s")
    report = BenchmarkReport("Model alone", "token budget, side by side (ours)", figures)
    report.facts |= {"model": model.version, "threads": threads, "reviews": len(sample)}
    report.facts |= _roofline(folder, model, ids, rounds, threads)
    return report


def sample_of(texts: Sequence[str]) -> list[str]:
    """Return two thousand normalised reviews, cycling and numbered as the pipeline benchmark does."""
    return [normalize(f"{texts[i % len(texts)]} {FIRST_NUMBER + i}") for i in range(_SAMPLE)]


def batch_rate(model: Classifier, ids: list[list[int]], rows: int, *, ordered: bool) -> float:
    """Return reviews a second when rows are fed in plain batches of one size.

    Args:
        model: is called once a batch.
        ids: word pieces of the reviews.
        rows: in a batch.
        ordered: by length, all of them, before they are cut into batches.
    """
    order = sorted(ids, key=len) if ordered else ids
    graph_rows = [order[i : i + rows] for i in range(0, len(order), rows)]
    started = time.perf_counter()
    for batch in graph_rows:
        model.last.run_padded(batch)
    return len(ids) / (time.perf_counter() - started)


def budget_rate(model: Classifier, ids: list[list[int]]) -> float:
    """Return reviews a second as the worker cuts its micro-batches, word pieces at hand."""
    started = time.perf_counter()
    for i in range(0, len(ids), BATCH_ROWS):
        model.last.logits(ids[i : i + BATCH_ROWS])
    return len(ids) / (time.perf_counter() - started)


def text_rate(model: Classifier, texts: list[str]) -> float:
    """Return reviews a second from normalised text to decided category."""
    started = time.perf_counter()
    for i in range(0, len(texts), BATCH_ROWS):
        model.classify(texts[i : i + BATCH_ROWS])
    return len(texts) / (time.perf_counter() - started)


def _roofline(
    folder: Path, model: Classifier, ids: list[list[int]], rounds: int, threads: int
) -> dict[str, object]:
    per_token = operations_per_token(str(folder / CPU_GRAPH))
    tokens = sum(map(len, ids))

    def used() -> float:
        return budget_rate(model, ids) / len(ids) * tokens * per_token

    figures = interleave(
        {
            "int8": matmul_flops(int8=True, threads=threads),
            "fp32": matmul_flops(int8=False, threads=threads),
            "model": used,
        },
        rounds,
        "op/s",
    )
    int8, fp32, reached = (figure.median for figure in figures)
    return {
        "operations_per_token": per_token,
        "peak_int8_gops": int8 / 1e9,
        "peak_fp32_gops": fp32 / 1e9,
        "model_gops": reached / 1e9,
        "share_of_int8_peak": reached / int8,
        "share_of_fp32_peak": reached / fp32,
    }
