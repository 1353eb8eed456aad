"""A perceptron on the pooled states of a frozen BERT."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from schemas import category_count
from training.encoders.encoder import Encoder
from training.fit.config import TrainConfig
from training.models.pooling import pool, pooled_width


class FrozenMlp(nn.Module):
    """Two layers on what a frozen encoder says."""

    def __init__(self, encoder: Encoder, config: TrainConfig) -> None:
        super().__init__()
        self.encoder = encoder.model.requires_grad_(False)
        self._pooling = config.pooling
        width = pooled_width(config.pooling, encoder.width)
        self.head = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, category_count()),
        )

    def train(self, mode: bool = True) -> FrozenMlp:
        """Switch the head only: a frozen encoder has no use for dropout."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        with torch.no_grad():
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
        logits: Tensor = self.head(pool(hidden, attention_mask, self._pooling))
        return logits


def build_mlp(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the module."""
    return FrozenMlp(encoder, config)
