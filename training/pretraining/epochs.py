"""The epochs of a pretraining, whatever it learns: seeded, resumable, batches of similar length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from training.fit.batches import bucketed_batches
from training.fit.config import Progress
from training.fit.runtime import resume, save_progress
from training.fit.steps import descend, seeded_epochs, set_rates


class EpochsConfig(BaseModel):
    """How long, how fast, and on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=6e-4, gt=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    warmup: float = Field(default=0.06, ge=0.0, le=1.0)
    max_length: int = Field(default=96, ge=8)
    device: str = "auto"
    checkpoints: Path | None = None


def learn_in_epochs(
    model: nn.Module,
    ids: Sequence[Sequence[int]],
    config: EpochsConfig,
    key: str,
    loss_of: Callable[[NDArray[np.int64], np.random.Generator], Tensor],
    told: Callable[[int, float], str],
    progress: Progress,
    *,
    least_rate: float = 0.0,
) -> list[float]:
    """Train a model in place, and return the mean loss of each epoch.

    After an interruption, the same call with the same ``checkpoints`` folder goes on after the last
    whole epoch, and ends with the weights that it would have ended with.

    Args:
        model: on its device.
        ids: word pieces of the texts.
        config: how.
        key: says what is being trained, and how.
        loss_of: computes the loss of some rows; draws what is random from the generator.
        told: says how it stands, of an epoch, from 1, and its mean loss so far.
        progress: is told that.
        least_rate: the rate decays to this share of itself.
    """
    optimizer: Any = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    steps = math.ceil(len(ids) / config.batch_size) * config.epochs
    warm = round(config.warmup * steps)
    first, losses = 0, list[float]()
    if config.checkpoints is not None:
        first, losses = resume(config.checkpoints, model, optimizer, key)
    lengths = [len(row) for row in ids]
    model.train()
    for epoch, rng in seeded_epochs(config.seed, first, config.epochs):
        total = 0.0
        batches = list(bucketed_batches(lengths, config.batch_size, rng))
        for number, rows in enumerate(batches):
            step = epoch * len(batches) + number
            set_rates(optimizer, [config.learning_rate], step, steps, warm, least_rate)
            total += descend(model, optimizer, loss_of(rows, rng))
            progress(told(epoch + 1, total / (number + 1)), step + 1, steps)
        losses.append(total / max(len(batches), 1))
        if config.checkpoints is not None:
            save_progress(config.checkpoints, epoch + 1, losses, model, optimizer, key)
    model.eval()
    return losses
