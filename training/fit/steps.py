"""The parts that every training by gradients is made of: seeded epochs, warm-up and decay, one step down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

_LARGEST_GRADIENT: Final = 1.0


def seeded_epochs(seed: int, first: int, count: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Yield the epochs that are left, each with its own generator; torch is seeded for each.

    Everything random hangs on the seed and the epoch alone, so that a training that was interrupted
    and resumed ends with the weights that it would have ended with.

    Args:
        seed: of the training.
        first: epochs that are done.
        count: epochs in all.
    """
    for epoch in range(first, count):
        torch.manual_seed(seed * 1000 + epoch)
        yield epoch, np.random.default_rng((seed, epoch))


def set_rates(
    optimizer: torch.optim.Optimizer,
    rates: Sequence[float],
    step: int,
    steps: int,
    warm: int,
    least: float = 0.0,
) -> None:
    """Set the learning rates of a step: linear warm-up, then linear decay.

    Args:
        optimizer: whose groups get them.
        rates: the highest rate of each group.
        step: from 0.
        steps: in all.
        warm: steps of the warm-up.
        least: the decay ends at this share of the rate.
    """
    warm = max(1, warm)
    left = max(least, (steps - step) / max(1, steps - warm))
    factor = (step + 1) / warm if step < warm else left
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def descend(
    module: nn.Module,
    optimizer: Any,
    loss: Tensor,
    further: Callable[[], None] | None = None,
) -> float:
    """Take one step down a loss, with the gradient bounded.

    Args:
        module: that is trained.
        optimizer: of its parameters.
        loss: a scalar.
        further: adds to the gradient before the step.

    Returns:
        The loss.
    """
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    if further is not None:
        further()
    nn.utils.clip_grad_norm_(module.parameters(), _LARGEST_GRADIENT)
    optimizer.step()
    return float(loss.detach())
