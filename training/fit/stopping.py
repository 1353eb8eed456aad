"""Early stopping: training ends when a part that is held back gains nothing more.

The part is trained on by nothing and scored by nobody: temperature and thresholds come from other rows
(each fold holds back a part of its own), so that choosing the best epoch flatters no figure. Its price
are the rows: a tenth of the trusted ones teaches nothing.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from schemas import category_count
from training.data.dataset import Dataset, trusted
from training.data.folds import folds_of
from training.errors import DataError
from training.measures.calibration import fit_temperature, softmax

_ONE_IN: Final = 10
# Of fewer rows the loss is mostly luck.
_LEAST_ROWS: Final = 30


def least_trusted() -> int:
    """Return how many trusted rows suffice, however their categories are spread over the tenths."""
    return _LEAST_ROWS * _ONE_IN + category_count() * _ONE_IN // 2


def held_back(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Part a dataset: what is trained on, and one in ten of the trusted rows, category by category.

    Args:
        dataset: all rows.
        seed: of the choice.

    Raises:
        DataError: too few rows can be trusted to tell one epoch from another.
    """
    good = np.flatnonzero(trusted(dataset))
    chosen = good[folds_of(dataset.categories[good], _ONE_IN, seed) == 0]
    if len(chosen) < _LEAST_ROWS:
        raise DataError(
            f"early stopping holds back {len(chosen)} of {len(good)} trusted rows: too few to tell by",
            f"label {least_trusted()} reviews, or leave early_stopping out",
        )
    part = dataset.take(chosen)
    rest = np.ones(len(dataset), dtype=np.bool_)
    rest[chosen] = False
    return dataset.take(rest).without_texts_of(part), part


def loss_of(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Return the mean log loss at the temperature that suits the logits best.

    A later epoch is more sure of itself, rightly and wrongly. Calibration mends that afterwards, so
    that it must not count against the epoch here.

    Args:
        logits: float32 [rows, categories].
        truth: category ids, int64 [rows].
    """
    said = softmax(logits, fit_temperature(logits, truth))
    return float(-np.log(said[np.arange(len(truth)), truth] + 1e-12).mean())


class BestEpoch(nn.Module):
    """The weights of the best epoch so far. A module, so that progress on disk holds them as well."""

    def __init__(self, module: nn.Module, patience: int) -> None:
        super().__init__()
        self.best = copy.deepcopy(module).requires_grad_(False)
        self._patience = patience
        self.lowest: Any
        self.since: Any
        self.register_buffer("lowest", torch.tensor(float("inf"), dtype=torch.float64))
        self.register_buffer("since", torch.tensor(0))

    @property
    def over(self) -> bool:
        """Whether so many epochs in a row gained nothing that training ends."""
        return int(self.since) >= self._patience

    def see(self, module: nn.Module, loss: float) -> None:
        """Take an epoch's weights if no earlier one had so low a loss on the part held back."""
        if loss < float(self.lowest):
            self.best.load_state_dict(module.state_dict())
            self.lowest.fill_(loss)
            self.since.fill_(0)
        else:
            self.since.add_(1)
