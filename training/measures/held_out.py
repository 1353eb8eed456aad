"""Labelled rows that a model did not see, and what it says of them: what every figure stands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.measures.clusters import clusters_of


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Labelled rows and what a model that did not see them says.

    Attributes:
        rows: the labelled rows.
        logits: float32 [rows, categories].
        known: how many of the rows the base had learned with their labels: they flatter.
        products: how many products were held out as wholes; 0 where rows were held out at random.
        foreign: logits of texts whose category was left out of the training, float32 [texts,
            categories]; None: none were asked about.
    """

    rows: Dataset
    logits: NDArray[np.float32]
    known: int = 0
    products: int = 0
    foreign: NDArray[np.float32] | None = None

    @property
    def truth(self) -> NDArray[np.int64]:
        """Category ids, int64 [rows]."""
        return self.rows.categories

    @property
    def cluster(self) -> NDArray[np.int64]:
        """Number of each row's product, int64 [rows]; a row of no known product has its own."""
        return clusters_of(self.rows.product)

    @property
    def of_the_stream(self) -> NDArray[np.bool_]:
        """Which rows are a sample of the stream: written examples are not, bool [rows]."""
        real = np.array([origin.of_the_stream for origin in self.rows.origin], dtype=np.bool_)
        return real if real.any() else np.ones(len(self.rows), dtype=np.bool_)
