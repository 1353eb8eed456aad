"""Confident learning: labels that a model trained on the others disagrees with.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 70, 2021), by
their package cleanlab, over held-out predictions of the n-gram model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from training.labelling.ngrams import ngram_model

_FOLDS: Final = 3
# More labels make the pass slower, not the list better.
_MOST: Final = 6000


@dataclass(frozen=True, slots=True)
class SuspiciousLabel:
    """A label that may be wrong.

    Attributes:
        row: number of the review.
        given: the category id that it has.
        expected: the category id that the model expects.
        belief: the model's probability of the given one, 0 to 1.
    """

    row: int
    given: int
    expected: int
    belief: float


def suspicious_labels(
    texts: Sequence[str], labels: NDArray[np.int64], seed: int = 0
) -> list[SuspiciousLabel]:
    """Return suspicious labels, the worst first.

    Of very many labels a random part is looked at. A category with too few reviews to be held out
    in turn is left out: nothing can be said of its labels.

    Args:
        texts: normalised.
        labels: category ids, int64 [texts].
        seed: of the folds and the random part.
    """
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 - two seconds

    counts = np.bincount(labels, minlength=1)
    rows = np.flatnonzero(counts[labels] >= _FOLDS)
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST, replace=False))
    present = np.unique(labels[rows])
    if len(present) < 2:  # noqa: PLR2004 - of one category nothing can be confused
        return []
    position = np.searchsorted(present, labels[rows])
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    beliefs = cross_val_predict(
        ngram_model(20_000), [texts[int(row)] for row in rows], position, cv=folds,
        method="predict_proba",
    )  # fmt: skip
    ranked = find_label_issues(
        position, beliefs, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [
        SuspiciousLabel(
            int(rows[i]),
            int(labels[rows[i]]),
            int(present[beliefs[i].argmax()]),
            float(beliefs[i, position[i]]),
        )
        for i in map(int, ranked)
    ]
