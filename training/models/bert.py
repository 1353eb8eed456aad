"""BERT, fully trained: pooled hidden states and one linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from schemas import category_count
from training.encoders.encoder import Encoder
from training.fit.config import TrainConfig
from training.models.pooling import pool, pooled_width


class BertClassifier(nn.Module):
    """An encoder and a linear layer over its pooled states."""

    def __init__(self, encoder: Encoder, config: TrainConfig) -> None:
        super().__init__()
        self.encoder = encoder.model
        self._pooling = config.pooling
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(pooled_width(config.pooling, encoder.width), category_count())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits: Tensor = self.head(self.dropout(pool(hidden, attention_mask, self._pooling)))
        return logits


def build_bert(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the module; the top layers start afresh where that is wanted."""
    if config.tricks.reinit_layers:
        restart(encoder, config.tricks.reinit_layers)
    return BertClassifier(encoder, config)


def restart(encoder: Encoder, layers: int) -> None:
    """Give the top layers new random weights (Zhang et al., "Few-sample BERT Fine-tuning", 2021)."""
    deviation = float(encoder.model.config.initializer_range)
    for layer in encoder.layers[-layers:]:
        for part in layer.modules():
            # By hand: the library's own initialisation skips weights that came from a checkpoint.
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=deviation)
                nn.init.zeros_(part.bias)
            elif isinstance(part, nn.LayerNorm):
                part.reset_parameters()
