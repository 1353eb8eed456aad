"""A linear model on word and character n-grams: the yardstick of a labelling, trained in seconds.

It is not served. It tells what a set of labels is worth (train on it, score on gold), and it is the
second opinion of the label-noise pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union


def ngram_model(max_features: int = 60_000, c: float = 10.0) -> Any:
    """Return an unfitted pipeline: TF-IDF of words (1-2) and characters (2-5), logistic regression.

    Args:
        max_features: of each of the two vocabularies.
        c: inverse strength of the regularisation.
    """
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=max_features
    )
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True,
        max_features=max_features,
    )  # fmt: skip
    return make_pipeline(
        make_union(words, characters), LogisticRegression(C=c, max_iter=300, solver="lbfgs")
    )


def train_and_predict(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    weight: NDArray[np.float32],
    unseen: Sequence[str],
) -> NDArray[np.int64]:
    """Train on labelled texts and return the categories of others.

    Args:
        texts: normalised.
        labels: category ids, int64 [texts].
        weight: how far to trust each label, float32 [texts].
        unseen: normalised texts to classify.
    """
    model = ngram_model()
    model.fit(texts, labels, logisticregression__sample_weight=weight)
    return np.asarray(model.predict(unseen), dtype=np.int64)
