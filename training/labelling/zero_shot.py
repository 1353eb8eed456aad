"""The zero-shot labeller: does the review entail "this review is about clothing"?

Any checkpoint for natural language inference does (Yin et al., "Benchmarking Zero-shot Text
Classification", EMNLP 2019). Its hypotheses are the active taxonomy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from schemas import category_count
from training.encoders.checkpoints import local_checkpoint
from training.errors import LabellerUnavailable
from training.labelling.hypotheses import hypotheses
from training.labelling.votes import Votes

_BATCH: Final = 32


class ZeroShotLabeller:
    """Votes with an NLI checkpoint through transformers' zero-shot pipeline."""

    name = "zero-shot"

    def __init__(self, checkpoint: str, device: str = "cpu") -> None:
        """Load a checkpoint: a folder, or the name of one that was downloaded before.

        Raises:
            LabellerUnavailable: it is not on this machine, or was not made for entailment.
            RulesError: the taxonomy's hypotheses are wrong.
        """
        from transformers import pipeline  # noqa: PLC0415 - seconds that only this labeller needs

        self._asked = hypotheses()
        self._pipeline: Any = pipeline(
            "zero-shot-classification", model=str(local_checkpoint(checkpoint)), device=device
        )
        labels: Any = self._pipeline.model.config.label2id or {}
        if not any("entail" in label.lower() for label in labels):
            raise LabellerUnavailable(
                f"{checkpoint} has no label for entailment", "use a checkpoint made for NLI"
            )

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts; abstains on empty ones."""
        # Similar lengths side by side: padding is work for nothing.
        rows = sorted((r for r, text in enumerate(texts) if text), key=lambda r: len(texts[r]))
        probabilities = np.zeros((len(texts), category_count()), dtype=np.float32)
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            probabilities[batch] = self._batch([texts[row] for row in batch])
        reasons = tuple(
            "nothing to read" if not text else f"entails “{self._asked.phrases[int(row.argmax())]}”"
            for text, row in zip(texts, probabilities, strict=True)
        )
        return Votes(probabilities, reasons)

    def _batch(self, texts: list[str]) -> Any:
        total = np.zeros((len(texts), category_count()))
        phrases = list(self._asked.phrases)
        for template in self._asked.templates:
            results = self._pipeline(
                texts, phrases, hypothesis_template=template, batch_size=_BATCH
            )
            for row, result in enumerate(results):
                scores = dict(zip(result["labels"], result["scores"], strict=True))
                total[row] += [scores[phrase] for phrase in phrases]
        return total / total.sum(axis=1, keepdims=True)
