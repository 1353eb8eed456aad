"""BERT with low-rank updates (LoRA) of its attention; merged into the weights when exported."""

from __future__ import annotations

from typing import Any, Final

from peft import LoraConfig, get_peft_model
from torch import nn

from training.fit.config import TrainConfig
from training.models.bert import BertClassifier
from training.pretraining.encoder import Encoder

_ATTENTION: Final = ["query", "key", "value"]


def build_lora(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the module: the base is frozen, only the updates and the head are trained.

    (Hu et al., "LoRA", ICLR 2022. Attention's three projections, scaled by two.)
    """
    module = BertClassifier(encoder, config)
    adapters = LoraConfig(
        r=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        lora_dropout=config.dropout,
        target_modules=_ATTENTION,
    )
    module.encoder = get_peft_model(encoder.model, adapters)
    return module


def merge_lora(module: nn.Module) -> nn.Module:
    """Fold the updates into the base weights; a module without updates is returned as it is."""
    encoder: Any = getattr(module, "encoder", None)
    if hasattr(encoder, "merge_and_unload"):
        module.encoder = encoder.merge_and_unload()
    return module
