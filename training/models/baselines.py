"""What a family must beat: the most frequent category, and logistic regression on n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from schemas import category_count
from training.data.dataset import Dataset, check_learnable
from training.errors import DataError
from training.fit.config import Progress, TrainConfig
from training.models.regression import log_probabilities

# Chosen on validated.csv long ago and never touched: C between 1 and 10 makes no difference there.
_INVERSE_REGULARISATION: Final = 4.0
# At the library's 1e-4 the fifth digit of a soft label moved three answers in 270; here it moves none.
_TOLERANCE: Final = 1e-6


class Majority:
    """Says the most frequent category of its training set, with that category's share."""

    def __init__(self, share: NDArray[np.float64]) -> None:
        self.parameters = category_count()
        self._logits = log_probabilities(share[None], np.arange(category_count()))

    @classmethod
    def fit(cls, dataset: Dataset, config: TrainConfig, progress: Progress) -> Majority:
        """Count."""
        del config, progress
        share = (dataset.probabilities * dataset.weight[:, None]).sum(axis=0, dtype=np.float64)
        return cls(share / share.sum())

    def logits(self, normalized: Sequence[str]) -> NDArray[np.float32]:
        """Return the same row for each text, float32 [texts, categories]."""
        return np.repeat(self._logits, len(normalized), axis=0)


class NgramRegression:
    """Logistic regression on tf-idf of word 1-2-grams and character 2-5-grams."""

    def __init__(self, words: Any, characters: Any, regression: Any) -> None:
        self._words, self._characters, self._regression = words, characters, regression

    @classmethod
    def fit(cls, dataset: Dataset, config: TrainConfig, progress: Progress) -> NgramRegression:
        """Fit to the most probable category of each row, weighed by its probability and weight.

        Raises:
            DataError: the texts are of one category, or no n-gram occurs twice.
        """
        check_learnable(dataset)
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        characters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True
        )
        progress("n-grams", 0, 2)
        texts = dataset.normalized
        try:
            features = hstack([words.fit_transform(texts), characters.fit_transform(texts)]).tocsr()
        except ValueError:
            raise DataError(
                f"no word occurs twice in the {len(texts)} texts", "label more reviews"
            ) from None
        regression = LogisticRegression(
            C=_INVERSE_REGULARISATION,
            tol=_TOLERANCE,
            max_iter=500,
            random_state=config.seed,
        )
        progress("regression", 1, 2)
        sure = dataset.probabilities.max(axis=1) * dataset.weight
        regression.fit(features, dataset.categories, sample_weight=sure)
        progress("regression", 2, 2)
        return cls(words, characters, regression)

    @property
    def parameters(self) -> int:
        """How many coefficients were learned."""
        return int(self._regression.coef_.size)

    def logits(self, normalized: Sequence[str]) -> NDArray[np.float32]:
        """Return log probabilities, float32 [texts, categories]."""
        texts = list(normalized)
        features = hstack([self._words.transform(texts), self._characters.transform(texts)])
        probabilities = self._regression.predict_proba(features.tocsr())
        return log_probabilities(probabilities, self._regression.classes_)
