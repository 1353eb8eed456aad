"""A GPU beside this machine's cores: encoders of three sizes, precisions, token budgets, share of the peak."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas import category_count
from stream.bench.encoder_graph import BASE, BUNDLED, SMALL, EncoderShape, write_encoder
from stream.bench.model import BATCH_ROWS, sample_of
from stream.bench.report import BenchmarkReport, interleave
from stream.bench.roofline import gpu_matmul_flops
from stream.errors import ReviewsError
from stream.model.folder import TOKENIZER, Manifest, read_manifest
from stream.model.inference import CudaGraph, Graph, OnnxGraph, gpu_available, gpu_session
from stream.model.stage import CALL_TOKENS, Stage

SHAPES: Final = (BUNDLED, SMALL, BASE)
LENGTH: Final = 64
"""Word pieces of every row where all are equally long."""
BUDGETS: Final = (2048, 8192, 32768)
"""Word pieces of a call, padding included."""
BASELINE: Final = "CPU, fp32"
# The cores get as many rows as they can do in a second or two.
_CPU_OPERATIONS: Final = 50e9
_LEAST_ROWS: Final = 8
_MIB: Final = 1024 * 1024
_PRECISIONS: Final[tuple[Literal["fp16"], Literal["fp32"]]] = ("fp16", "fp32")


class UnboundGraph:
    """A graph on a GPU: ONNX Runtime copies in and out by itself, and lengths are as they come.

    Args:
        path: of the graph.
    """

    device = "cuda"
    parallel_calls = 1

    def __init__(self, path: Path) -> None:
        self._session = gpu_session(path)

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`stream.model.inference.Graph`."""
        feed: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: NDArray[np.float32] = self._session.run(["logits"], feed)[0]
        return logits


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run an encoder.

    Attributes:
        name: as it is shown.
        stage: runs it.
        ids: word pieces of the reviews that are measured with.
        peak: operations a second that its device can do at most, in its precision; 0 if unknown.
    """

    name: str
    stage: Stage
    ids: Sequence[Sequence[int]]
    peak: float = 0.0

    def rate(self) -> float:
        """Measure reviews a second, in micro-batches as the worker makes them."""
        started = time.perf_counter()
        for first in range(0, len(self.ids), BATCH_ROWS):
            self.stage.logits(self.ids[first : first + BATCH_ROWS])
        return len(self.ids) / (time.perf_counter() - started)

    def share_of_peak(self, shape: EncoderShape, rate: float) -> str:
        """Say how much of its device's peak does useful work: padding is none."""
        if not self.peak:
            return ""
        needed = sum(shape.operations(len(row)) for row in self.ids) / len(self.ids)
        return f"{rate * needed / self.peak:.1%} of the peak"


def bench_gpu(
    folder: Path,
    texts: Sequence[str],
    rounds: int = 3,
    shapes: Sequence[EncoderShape] = SHAPES,
    device: str = "cuda",
) -> list[BenchmarkReport]:
    """Measure reviews a second, one report a shape of encoder.

    Weights are random, so that no models of these sizes have to be at hand: they compute as long.

    Args:
        folder: a model folder: its tokenizer, longest text and categories are taken.
        texts: real reviews; two thousand, cycling and numbered as the pipeline benchmark does.
        rounds: interleaved rounds.
        shapes: of the encoders.
        device: whose memory holds what the peak is measured with, as ONNX Runtime calls it.

    Raises:
        ReviewsError: there is no GPU that ONNX Runtime can use, or the package ``onnx`` is absent.
    """
    if not gpu_available():
        raise ReviewsError(
            "ONNX Runtime finds no GPU: there is nothing to measure",
            "deploy/docs/deployment.md, GPU, says what one needs; `reviews bench model` measures the CPU",
        )
    manifest = read_manifest(folder)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    with tempfile.TemporaryDirectory(prefix="reviews-bench-gpu-") as name:
        graphs = Path(name)
        # A peak is what can be reached, be it once.
        peaks = {
            number: max(_rounds(gpu_matmul_flops(graphs, number, device), rounds))
            for number in _PRECISIONS
        }
        return [
            _bench_shape(shape, graphs, manifest, tokenizer, sample_of(texts), rounds, peaks)
            for shape in shapes
        ]


def _bench_shape(
    shape: EncoderShape,
    graphs: Path,
    manifest: Manifest,
    tokenizer: Tokenizer,
    sample: Sequence[str],
    rounds: int,
    peaks: dict[Literal["fp16", "fp32"], float],
) -> BenchmarkReport:
    longest = max(manifest.max_length, LENGTH)
    paths = {number: graphs / f"{number}.onnx" for number in _PRECISIONS}
    for number, path in paths.items():
        write_encoder(
            path,
            shape,
            number,
            vocabulary=tokenizer.get_vocab_size(),
            positions=longest,
            categories=category_count(),
        )

    def stage(graph: Graph, budget: int) -> Stage:
        return Stage(tokenizer, graph, manifest, budget)

    cores = stage(OnnxGraph(paths["fp32"], 0), CALL_TOKENS["cpu"])
    half, single = (CudaGraph(paths[number], 0, longest) for number in _PRECISIONS)
    ids = cores.tokenize(sample).ids
    alike = [[row[i % len(row)] for i in range(LENGTH)] for row in ids]
    few = max(_LEAST_ROWS, int(_CPU_OPERATIONS / shape.operations(LENGTH)))
    usual = CALL_TOKENS["cuda"]
    unbound = stage(UnboundGraph(paths["fp16"]), usual)
    ways = [
        Way(BASELINE, cores, ids[:few]),
        Way(f"fp32, {usual} a call", stage(single, usual), ids, peaks["fp32"]),
        Way(f"fp16, {usual} a call, not bound", unbound, ids, peaks["fp16"]),
        *(
            Way(f"fp16, {budget} a call", stage(half, budget), ids, peaks["fp16"])
            for budget in BUDGETS
        ),
        *(
            Way(
                f"fp16, {budget} a call, each {LENGTH} long",
                stage(half, budget),
                alike,
                peaks["fp16"],
            )
            for budget in BUDGETS
        ),
    ]
    for way in ways:
        way.rate()  # warms up: each new shape costs a GPU a choice of kernels
    figures = interleave({way.name: way.rate for way in ways}, rounds, "reviews/s")
    for way, figure in zip(ways, figures, strict=True):
        figure.note = way.share_of_peak(shape, figure.median)
    report = BenchmarkReport(f"GPU, {shape.name}", BASELINE, figures)
    report.facts |= {
        "reviews": len(ids),
        "word_pieces_a_review": sum(map(len, ids)) / len(ids),
        "fp16_graph_mib": paths["fp16"].stat().st_size / _MIB,
        "peak_fp16_tops": peaks["fp16"] / 1e12,
        "peak_fp32_tops": peaks["fp32"] / 1e12,
    }
    return report


def _rounds(measure: Callable[[], float], rounds: int) -> list[float]:
    return [measure() for _ in range(rounds)]
