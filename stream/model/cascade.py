"""Two stages of one model: a cheap one decides what it is sure enough of, the other one the rest.

Of each text a cascade gives one row of logits, in one scale, so that temperature, bias, thresholds and
promise are of the whole and do not ask which stage it was (Viola and Jones, "Rapid Object Detection using
a Boosted Cascade of Simple Features", CVPR 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stream.model.decision import DecisionRule
from stream.model.folder import (
    FIRST_GRAPH,
    FIRST_TOKENIZER,
    TOKENIZER,
    FirstStage,
    Manifest,
)
from stream.model.inference import Device, OnnxGraph, open_graph
from stream.model.stage import Inference, Stage

# Its model has tables instead of products: a call costs little for its word pieces, so calls are large.
# 8192 word pieces took 18 us of CPU a review, 2048 took 20 and 512 took 24.
_OF_TABLES: Final = "static"
TABLES_CALL_TOKENS: Final = 8192


class PassOn:
    """What the first stage keeps, and what it passes on.

    Args:
        temperature: that its logits are divided by for calibrated probabilities.
        keep: least probability at which it decides, float32 [categories], by category id; above one:
            never.
        scale: its logits times this are in the scale of the last stage's.
    """

    def __init__(self, temperature: float, keep: NDArray[np.float32], scale: float) -> None:
        self._rule = DecisionRule(temperature, keep)
        self._scale = np.float32(scale)

    @classmethod
    def of(cls, stage: FirstStage, categories: Sequence[str]) -> PassOn:
        """Take it from what a manifest says of its first stage."""
        keep = np.array([stage.keep[slug] for slug in categories], dtype=np.float32)
        return cls(stage.temperature, keep, stage.scale)

    def keeps(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell what the first stage decides, bool [rows]; never what is not a number.

        Args:
            logits: of the first stage, float32 [rows, categories].
        """
        return self._rule.sure(self._rule.probabilities(logits))

    def scaled(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first stage's logits in the scale of the last one's."""
        return logits * self._scale


class ModelCascade:
    """A cheap stage before another one.

    Args:
        first: goes through every text.
        pass_on: says what it decides.
        last: decides the rest.
    """

    def __init__(self, first: Stage, pass_on: PassOn, last: Stage) -> None:
        self.entry = first
        """The stage that every text goes through."""
        self.last = last
        """The stage that no other one follows."""
        self._pass_on = pass_on

    def infer(self, normalized: Sequence[str]) -> Inference:
        """Return what the stages say of already normalised texts, in their order."""
        begun = self.entry.infer(normalized)
        kept = self._pass_on.keeps(begun.logits)
        logits = self._pass_on.scaled(begun.logits)
        rest = np.flatnonzero(~kept).tolist()
        if not rest:
            return replace(begun, logits=logits, by_first=kept)
        asked = self.last.infer([normalized[row] for row in rest])
        logits[rest] = asked.logits
        return replace(
            begun,
            logits=logits,
            by_first=kept,
            tokenize_seconds=begun.tokenize_seconds + asked.tokenize_seconds,
            inference_seconds=begun.inference_seconds + asked.inference_seconds,
            padded_tokens=begun.padded_tokens + asked.padded_tokens,
        )


def open_stages(
    folder: Path, manifest: Manifest, device: Device, threads: int, chunk_tokens: int
) -> Stage | ModelCascade:
    """Open what a model folder holds: one stage, or two. A first stage runs on the CPU always.

    Args:
        folder: of the model.
        manifest: its own.
        device: see :func:`~stream.model.inference.open_graph`.
        threads: likewise.
        chunk_tokens: of the last stage, see :class:`~stream.model.stage.Stage`; the calls of a first one,
            and of a model that has tables alone, are larger.

    Raises:
        ModelError: a graph cannot be opened.
    """
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    graph = open_graph(folder, device, threads, manifest.max_length)
    if manifest.family == _OF_TABLES:
        chunk_tokens = chunk_tokens or TABLES_CALL_TOKENS
    last = Stage(tokenizer, graph, manifest, chunk_tokens)
    if manifest.first_stage is None:
        return last
    first = Stage(
        Tokenizer.from_file(str(folder / FIRST_TOKENIZER)),
        OnnxGraph(folder / FIRST_GRAPH, threads),
        manifest.first_stage,
        max(chunk_tokens, TABLES_CALL_TOKENS),
    )
    return ModelCascade(first, PassOn.of(manifest.first_stage, manifest.categories), last)
