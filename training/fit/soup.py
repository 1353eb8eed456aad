"""One model of several: the mean of their weights.

Trainings that start from the same base and differ by their seeds lie close enough to one another that
the mean of their weights is a model as well, and mostly a better one than each of them: mistakes that
hang on a seed cancel out (Wortsman et al., "Model soups", ICML 2022). It costs their trainings, and
nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

from training.fit.config import TrainConfig

# Far from the seeds of teachers and of comparisons.
_APART: Final = 100_000


def member(config: TrainConfig, number: int) -> TrainConfig:
    """Return the configuration of one of the trainings, with a seed and a folder of its own.

    Args:
        config: of the whole.
        number: of the training, from 0.
    """
    folder = config.checkpoints
    return config.model_copy(
        update={
            "seed": config.seed + _APART * number,
            "tricks": config.tricks.model_copy(update={"soup": 1}),
            "checkpoints": None if folder is None else folder / f"member-{number}",
        }
    )


def take_mean(modules: Sequence[nn.Module]) -> None:
    """Give the first module the mean of the weights of all.

    Args:
        modules: of one shape.
    """
    states = [module.state_dict() for module in modules]
    means = {
        # In double precision: what is the same in all, as frozen layers are, stays as it is.
        name: torch.stack([state[name].double() for state in states]).mean(dim=0)
        for name, weights in states[0].items()
        if weights.is_floating_point()
    }
    # Only now: what has two names would be taken for its own mean under the second.
    with torch.no_grad():
        for name, mean in means.items():
            states[0][name].copy_(mean)
