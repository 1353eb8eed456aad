"""Learning rates by depth, and no weight decay on biases and norms."""

from __future__ import annotations

import re
from typing import Any, Final

from torch import nn

from training.fit.config import TrainConfig

_LAYER: Final = re.compile(r"\blayers?\.(\d+)\.")
# Modules keep their base encoder under this name: everything else is head.
ENCODER: Final = "encoder"
# Low-rank updates start from nothing: at the rate of full training they hardly move in a few epochs.
# (Hu et al., ICLR 2022, appendix D, take 4e-4 for a RoBERTa that is fully tuned at 1e-5 to 3e-5.)
_LOW_RANK: Final = "lora_"
_LOW_RANK_RATE: Final = 5.0


def parameter_groups(module: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and decay.

    The encoder learns at ``learning_rate``, falling by ``layer_decay`` with each layer towards the
    input (ULMFiT, ELECTRA); low-rank updates at five times ``learning_rate`` in every layer; the head
    at ``head_learning_rate``.
    """
    depth = 1 + max((_depth(name) for name, _ in module.named_parameters()), default=0)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = config.head_learning_rate
        if _LOW_RANK in name:
            rate = config.learning_rate * _LOW_RANK_RATE
        elif name.startswith(ENCODER):
            rate = config.learning_rate * config.tricks.layer_decay ** (depth - _depth(name))
        groups.setdefault((rate, parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": config.weight_decay if decays else 0.0}
        for (rate, decays), parameters in groups.items()
    ]


def _depth(name: str) -> int:
    """Return 0 for embeddings, and 1 and more for layers."""
    found = _LAYER.search(name)
    return int(found.group(1)) + 1 if found else 0
