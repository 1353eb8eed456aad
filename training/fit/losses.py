"""Losses for soft labels: weights, smoothing, focal, logit adjustment, R-Drop's divergence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas import category_count
from training.data.dataset import Dataset
from training.fit.config import Imbalance, Tricks

# A category without a single row still has a prior: its logits must stay finite.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss over logits [rows, categories] and soft labels [rows, categories].

    Attributes:
        class_weight: float32 [categories].
        shift: added to the logits while training (logit adjustment), float32 [categories].
        gamma: of the focal loss.
        smoothing: share of each label that is spread over all categories.
    """

    class_weight: Tensor
    shift: Tensor
    gamma: float
    smoothing: float

    @classmethod
    def of(cls, dataset: Dataset, imbalance: Imbalance, tricks: Tricks) -> Loss:
        """Take class weights and prior from the training set."""
        counts = (dataset.probabilities * dataset.weight[:, None]).sum(axis=0, dtype=np.float64)
        share = np.maximum(counts / counts.sum(), _LEAST_SHARE)
        shift = imbalance.logit_adjustment * np.log(share / share.sum())
        return cls(
            torch.tensor(class_weights(counts, imbalance), dtype=torch.float32),
            torch.tensor(shift, dtype=torch.float32),
            imbalance.focal_gamma,
            tricks.label_smoothing,
        )

    def __call__(self, logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted mean loss, a scalar.

        Focal loss: Lin et al., ICCV 2017. Logit adjustment: Menon et al., ICLR 2021.

        Args:
            logits: float32 [rows, categories].
            labels: float32 [rows, categories].
            weight: float32 [rows].
        """
        log_p = torch.log_softmax(logits.float() + self.shift.to(logits.device), dim=1)
        if self.smoothing:
            labels = labels * (1 - self.smoothing) + self.smoothing / category_count()
        terms = -labels * log_p * self.class_weight.to(logits.device)
        if self.gamma:
            terms = terms * (1 - log_p.exp()) ** self.gamma
        return (terms.sum(dim=1) * weight).sum() / weight.sum().clamp(min=1e-6)


def class_weights(counts: NDArray[np.float64], imbalance: Imbalance) -> NDArray[np.float64]:
    """Return one weight a category, float64 [categories], with a mean of one over the rows.

    ``balanced`` weighs by one over the frequency; ``effective`` by one over the effective number of
    rows (Cui et al., "Class-Balanced Loss", CVPR 2019). Categories without rows get weight one.
    """
    if imbalance.class_weight == "none":
        return np.ones(len(counts))
    present = counts > 0
    if imbalance.class_weight == "balanced":
        raw = 1 / np.maximum(counts, 1.0)
    else:
        beta = imbalance.effective_beta
        raw = (1 - beta) / (1 - beta ** np.maximum(counts, 1.0))
    mean = float((raw * counts).sum() / counts.sum())
    return np.where(present, raw / mean, 1.0)


def symmetric_divergence(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Return R-Drop's term: the mean of both KL divergences (Liang et al., NeurIPS 2021).

    Args:
        first: logits of one dropout mask, [rows, categories].
        second: logits of another, [rows, categories].
        weight: float32 [rows].
    """
    log_p, log_q = torch.log_softmax(first.float(), 1), torch.log_softmax(second.float(), 1)
    both = ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1) / 2
    return (both * weight).sum() / weight.sum().clamp(min=1e-6)
