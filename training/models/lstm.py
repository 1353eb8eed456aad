"""LSTMs: on word pieces alone, and on top of BERT."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from schemas import category_count
from training.encoders.encoder import Encoder
from training.fit.config import TrainConfig
from training.models.pooling import Attention, pool


class PackedLstm(nn.Module):
    """A bidirectional LSTM that never reads padding: the backward direction starts at the last word."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.cells = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return states [rows, length, 2 x hidden] for vectors [rows, length, width]."""
        lengths = mask.sum(dim=1).clamp(min=1)
        packed = pack_padded_sequence(
            vectors, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = self.cells(packed)
        # Right padding, and the longest row is as long as the batch: nothing to fill up.
        unpacked, _ = pad_packed_sequence(states, batch_first=True)
        return torch.as_tensor(unpacked)


class LstmClassifier(nn.Module):
    """Word-piece vectors (they start as the base encoder's), LSTM, pooling, linear layer."""

    def __init__(self, encoder: Encoder, config: TrainConfig) -> None:
        super().__init__()
        table = encoder.model.get_input_embeddings().weight.detach().clone()
        self.embeddings = nn.Embedding(table.shape[0], table.shape[1], _weight=table)
        self.norm = nn.LayerNorm(table.shape[1])
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = PackedLstm(table.shape[1], config.hidden)
        self.head = nn.Linear(4 * config.hidden, category_count())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        vectors = self.dropout(self.norm(self.embeddings(input_ids)))
        states = self.lstm(vectors, attention_mask)
        logits: Tensor = self.head(self.dropout(pool(states, attention_mask, "mean+max")))
        return logits


class BertLstm(nn.Module):
    """BERT, an LSTM over its states, then pooling or attention, dropout, linear layer."""

    def __init__(
        self, encoder: Encoder, config: TrainConfig, *, attention: bool, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder.model
        self.lstm = PackedLstm(encoder.width, config.hidden)
        self.attention = Attention(2 * config.hidden) if attention else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear((2 if attention else 4) * config.hidden, category_count())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states = self.lstm(hidden, attention_mask)
        if self.attention is None:
            pooled = pool(states, attention_mask, "mean+max")
        else:
            pooled = self.attention(states, attention_mask)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def build_lstm(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the LSTM on word pieces."""
    return LstmClassifier(encoder, config)


def build_bert_lstm(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make BERT + LSTM."""
    return BertLstm(encoder, config, attention=False, dropout=config.dropout)


def build_bert_lstm_attention(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make BERT + LSTM + attention."""
    return BertLstm(encoder, config, attention=True, dropout=config.dropout)


def build_bert_lstm_dropout(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make BERT + LSTM + attention with the higher dropout that its authors left as an idea."""
    return BertLstm(encoder, config, attention=True, dropout=0.5)
