"""What baselines that are regressions have in common: their probabilities as logits of all categories."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas import category_count

_FLOOR: Final = 1e-6
"""Probability of what a model holds impossible: its logarithm must stay a number."""


def log_probabilities(
    probabilities: NDArray[np.floating[Any]], categories: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return log probabilities, float32 [rows, categories]; categories that are not named have the lowest.

    Args:
        probabilities: [rows, categories].
        categories: id of each column.

    >>> log_probabilities(np.array([[0.25, 0.75]]), np.array([0, 8])).round(1).tolist()[0][:2]
    [-1.399999976158142, -13.800000190734863]
    """
    logits = np.full((len(probabilities), category_count()), np.log(_FLOOR), dtype=np.float32)
    logits[:, categories] = np.log(np.maximum(probabilities, _FLOOR))
    return logits
