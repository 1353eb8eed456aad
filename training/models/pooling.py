"""From hidden states to one vector a text."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from training.fit.config import Pooling

# Lower than any hidden state, and no overflow in half precision.
_LOWEST: Final = -1e4


def pooled_width(pooling: Pooling, width: int) -> int:
    """Return the size of a pooled vector for hidden states of ``width``."""
    return 2 * width if pooling == "mean+max" else width


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Pool hidden states [rows, length, width] where mask [rows, length] is one."""
    if pooling == "first":
        return hidden[:, 0]
    real = mask.unsqueeze(-1).to(hidden.dtype)
    if pooling == "mean":
        return _mean(hidden, real)
    highest = (hidden + (1 - real) * _LOWEST).amax(dim=1)
    if pooling == "max":
        return highest
    return torch.cat([_mean(hidden, real), highest], dim=1)


def _mean(hidden: Tensor, real: Tensor) -> Tensor:
    return (hidden * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)


class Attention(nn.Module):
    """A learned weighted mean (Yang et al., "Hierarchical Attention Networks", 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return [rows, width] for hidden states [rows, length, width] and mask [rows, length]."""
        scores = self.score(torch.tanh(self.project(hidden))).squeeze(-1)
        scores = scores + (1 - mask.to(scores.dtype)) * _LOWEST
        return (torch.softmax(scores, dim=1).unsqueeze(-1) * hidden).sum(dim=1)
