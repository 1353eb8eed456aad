"""From logits to a decision: calibrated confidence, and whether it is enough to publish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.model.folder import Manifest


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """Temperature and thresholds of one model.

    Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    temperature: float
    thresholds: NDArray[np.float32]
    """Least probability to publish, float32 [categories], by category id."""
    bias: NDArray[np.float64] | None = None
    """Added to scaled logits, float64 [categories]: log ratio of a category's share on this stream to
    that in training; None: nothing."""

    @classmethod
    def of(cls, manifest: Manifest) -> DecisionRule:
        """Take the rule from a model's manifest."""
        thresholds = [manifest.thresholds[slug] for slug in manifest.categories]
        bias = None
        if manifest.bias:
            bias = np.array([manifest.bias.get(slug, 0.0) for slug in manifest.categories])
        return cls(manifest.temperature, np.asarray(thresholds, dtype=np.float32), bias)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities, float32 [rows, categories], for logits of the same shape."""
        scaled = logits.astype(np.float64) / self.temperature
        if self.bias is not None:
            scaled += self.bias
        scaled -= scaled.max(axis=1, keepdims=True)
        exp = np.exp(scaled)
        return np.asarray(exp / exp.sum(axis=1, keepdims=True), dtype=np.float32)

    def sure(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell for each row of float32 [rows, categories] whether its best category may be published."""
        best = probabilities.argmax(axis=1)
        confidence = probabilities[np.arange(len(probabilities)), best]
        return np.asarray(confidence >= self.thresholds[best], dtype=np.bool_)
