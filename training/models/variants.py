"""Texts made of reviews, for teachers to label: thinned copies and short runs of words.

(Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", 2019, teach an
LSTM with masked words and sampled n-grams. They need not make sense: the pupil learns where the
teachers draw the line.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

_LEFT_OUT: Final = 0.15
_SHORTEST: Final = 3
_LONGEST: Final = 9


def variants(texts: Sequence[str], seed: int) -> list[str]:
    """Return two texts of each: without some of its words, and a run of three to nine of them.

    Args:
        texts: reviews; of one word only, both are the review itself.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    made: list[str] = []
    for text in texts:
        words = text.split()
        kept = [word for word in words if rng.random() >= _LEFT_OUT]
        length = int(rng.integers(_SHORTEST, _LONGEST + 1))
        start = int(rng.integers(max(1, len(words) - length + 1)))
        made += [" ".join(kept or words), " ".join(words[start : start + length])]
    return made
