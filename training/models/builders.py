"""The neural families' modules by name."""

from __future__ import annotations

from typing import Final

from training.fit.loop import Build
from training.models.bert import build_bert
from training.models.lora import build_lora
from training.models.lstm import (
    build_bert_lstm,
    build_bert_lstm_attention,
    build_bert_lstm_dropout,
    build_lstm,
)
from training.models.mlp import build_mlp

BUILDERS: Final[dict[str, Build]] = {
    "bert": build_bert,
    "lora": build_lora,
    "mlp": build_mlp,
    "lstm": build_lstm,
    "bert-lstm": build_bert_lstm,
    "bert-lstm-attention": build_bert_lstm_attention,
    "bert-lstm-dropout": build_bert_lstm_dropout,
}
