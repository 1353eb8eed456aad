"""A relabeller in tests: a cascade of one labeller that goes by words, and what it leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from schemas import Category, category_count
from training.labelling.cascade import fit_cascade
from training.labelling.run import Panel
from training.labelling.saved import Ensemble, Fitted
from training.labelling.votes import Votes
from training.relabeller.deciding import Decider

WORDS = {"платье": Category("clothing"), "доставка": Category("no-product")}
ENSEMBLE_VERSION = "0123456789ab"
OPEN = "непонятно"
"""A text with this word alone is left to people."""


class WordLabeller:
    """Votes for a category where the text holds its word, and is silent elsewhere."""

    name = "words"

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        rows = np.zeros((len(texts), category_count()), dtype=np.float32)
        for row, text in enumerate(texts):
            for word, category in WORDS.items():
                if word in text:
                    rows[row] = np.eye(category_count(), dtype=np.float32)[category.id]
        return Votes(rows, ("by its word",) * len(texts))


def word_decider() -> Decider:
    """Return a decider that knows two words."""
    clothing, no_product = (category.id for category in WORDS.values())
    texts = [*WORDS, "туман", "мгла"] * 40
    known = np.array([clothing, no_product, clothing, no_product] * 40)
    labeller = WordLabeller()
    cascade = fit_cascade({"words": labeller.label(texts)}, {}, known)
    fitted = Fitted(datetime(2026, 1, 1, tzinfo=UTC), "checked.csv", len(known), 0, 0.95)
    return Decider(Ensemble(cascade, fitted, ENSEMBLE_VERSION), Panel((labeller,)))
