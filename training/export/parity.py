"""Does a graph compute what the trained module computes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from stream.model.inference import session_options
from training.fit.batches import by_length, pad

_BATCH: Final = 64

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a graph's logits are from the module's on the same texts.

    Attributes:
        largest: greatest absolute difference of a logit.
        agreement: share of texts with the same best category.
    """

    largest: float
    agreement: float

    @classmethod
    def of(cls, module: Logits, graph: Logits) -> Parity:
        """Compare logits float32 [texts, categories]."""
        same = module.argmax(axis=1) == graph.argmax(axis=1)
        return cls(float(np.abs(module - graph).max()), float(same.mean()))


@dataclass(frozen=True, slots=True)
class Graphs:
    """The graphs of a folder.

    Attributes:
        cpu: what the one for a CPU is, such as "static seven-bit".
        parity: of each by its file's name, and of whatever was tried on the way by what it is.
    """

    cpu: str
    parity: Mapping[str, Parity]


def graph_logits(path: Path, ids: Sequence[Sequence[int]], pad_id: int, threads: int = 0) -> Logits:
    """Return a graph's logits float32 [texts, categories] on the CPU, texts of similar length together.

    Args:
        path: of the graph.
        ids: word pieces of the texts.
        pad_id: of the tokenizer.
        threads: 0 means all cores.
    """
    return session_logits(open_graph(path, threads), ids, pad_id)


def open_graph(path: Path, threads: int = 0) -> ort.InferenceSession:
    """Load a graph for the CPU; no threads means all cores."""
    return ort.InferenceSession(
        str(path), session_options(threads), providers=["CPUExecutionProvider"]
    )


def session_logits(
    session: ort.InferenceSession, ids: Sequence[Sequence[int]], pad_id: int
) -> Logits:
    """Return what :func:`graph_logits` does, of a graph that is loaded already."""
    out: Logits | None = None
    for rows in by_length(ids, _BATCH):
        inputs, mask = pad([ids[row] for row in rows], pad_id)
        given = {"input_ids": inputs, "attention_mask": mask}
        found = np.asarray(session.run(["logits"], given)[0], dtype=np.float32)
        if out is None:
            out = np.empty((len(ids), found.shape[1]), dtype=np.float32)
        out[rows] = found
    return out if out is not None else np.empty((0, 0), dtype=np.float32)
