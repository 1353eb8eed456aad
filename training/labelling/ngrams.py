"""A linear model on word and character n-grams: the yardstick of a labelling, trained in seconds.

It is not served. It tells what a set of labels is worth (train on it, score on gold), and it is the
second opinion of the label-noise pass.
"""

from __future__ import annotations

from typing import Any

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
