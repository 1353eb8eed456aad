"""BERT with low-rank updates (LoRA) of its attention; merged into the weights when exported."""

from __future__ import annotations

from typing import Any, Final

from torch import nn

from training.encoders.checkpoints import CheckpointError
from training.encoders.encoder import Encoder
from training.fit.config import TrainConfig
from training.models.bert import BertClassifier

# What attention's projections are called in BERT and its kin, in DistilBERT, DeBERTa, and others.
_ATTENTION: Final = (
    ("query", "key", "value"),
    ("q_lin", "k_lin", "v_lin"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_proj", "k_proj", "v_proj"),
)


def build_lora(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the module: the base is frozen, only the updates and the head are trained.

    (Hu et al., "LoRA", ICLR 2022. Attention's three projections, scaled by two.)

    Raises:
        CheckpointError: the base's attention has none of the names that are known.
    """
    # Half of what a training would import, for one family of eight.
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415

    module = BertClassifier(encoder, config)
    adapters = LoraConfig(
        r=config.lora_rank,
        lora_alpha=2 * config.lora_rank,
        lora_dropout=config.dropout,
        target_modules=_projections(encoder.model),
    )
    module.encoder = get_peft_model(encoder.model, adapters)
    return module


def _projections(model: nn.Module) -> list[str]:
    present = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    for names in _ATTENTION:
        if present.issuperset(names):
            return list(names)
    raise CheckpointError(
        "the base's attention has no query, key and value of its own to update",
        "train bert, or name a base of BERT's kind",
    )


def merge_lora(module: nn.Module) -> nn.Module:
    """Fold the updates into the base weights; a module without updates is returned as it is."""
    encoder: Any = getattr(module, "encoder", None)
    if hasattr(encoder, "merge_and_unload"):
        module.encoder = encoder.merge_and_unload()
    return module
