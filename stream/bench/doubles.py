"""Models to measure beside ours, and models that cost nothing or a fixed time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas import category_count
from stream.model.classifier import Classifier, Scores
from stream.model.folder import CPU_GRAPH, TOKENIZER, read_manifest
from stream.model.inference import Graph, session_options
from stream.model.stage import Inference, Stage

_SURE = 0.99


class SplitGraph:
    """One call at a time, its products split over the cores: what ONNX Runtime does by itself.

    Args:
        path: of the graph.
        threads: that a product is split over; 0 for all cores.
    """

    device = "cpu"
    parallel_calls = 1

    def __init__(self, path: Path, threads: int) -> None:
        self._session = ort.InferenceSession(str(path), session_options(threads))

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`stream.model.inference.Graph`."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: NDArray[np.float32] = self._session.run(["logits"], feed)[0]
        return logits


def split_classifier(folder: Path, threads: int, chunk_tokens: int) -> Classifier:
    """Return a folder's classifier on a :class:`SplitGraph`."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    graph = SplitGraph(folder / CPU_GRAPH, threads)
    manifest = read_manifest(folder)
    return Classifier(manifest, Stage(tokenizer, graph, manifest, chunk_tokens))


class NoGraph:
    """Stands where a graph would; it is never run."""

    device = "none"
    parallel_calls = 1

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """See :class:`stream.model.inference.Graph`."""
        raise NotImplementedError


class EmulatedAccelerator(Classifier):
    """Answers every text surely, category by turn, after a fixed time for a whole micro-batch.

    With a time of zero it is the free model: what is left is the cost of the plumbing. With more it
    is an accelerator whose cores are not ours, so that workers scale beyond this machine's cores.

    Args:
        folder: a model folder; its manifest and tokenizer are taken.
        seconds: time of one micro-batch.
    """

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        graph: Graph = NoGraph()
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        manifest = read_manifest(folder)
        super().__init__(manifest, Stage(tokenizer, graph, manifest, 1))
        self._seconds = seconds
        self._device = Lock()  # the worker has two batches in the model's stage; a device, one

    def score(self, normalized: Sequence[str]) -> Scores:
        """See :meth:`stream.model.classifier.Classifier.score`."""
        if self._seconds:
            with self._device:
                time.sleep(self._seconds)
        rows = len(normalized)
        rest = (1 - _SURE) / (category_count() - 1)
        probabilities = np.full((rows, category_count()), rest, dtype=np.float32)
        probabilities[np.arange(rows), np.arange(rows) % category_count()] = _SURE
        inference = Inference(
            logits=np.log(probabilities),
            by_first=np.zeros(rows, dtype=np.bool_),
            tokens=[1] * rows,
            unknown=[0] * rows,
            tokenize_seconds=0.0,
            inference_seconds=self._seconds,
            padded_tokens=rows,
        )
        return Scores(probabilities, inference)
