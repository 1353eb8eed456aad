"""Logistic regression on what a frozen encoder makes of a text: a large encoder's cheapest use.

Nothing of the encoder is trained, so each text is read by it once, however often the regression is
fitted: out of fold, or as a teacher beside others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.data.dataset import CATEGORY_COUNT, Dataset, check_learnable
from training.fit.batches import pad
from training.fit.config import Progress, TrainConfig, silent
from training.labelling.checkpoints import checkpoint_digest
from training.models.pooling import pool
from training.pretraining.encoder import Encoder, load_encoder

_LOG_FLOOR: Final = 1e-6
_BATCH: Final = 64
# The last layer is turned to what the encoder was trained for; one at two thirds knows more of words.
_INNER: Final = 2 / 3
# Chosen by predictions that leave products out: between 0.01 and 0.1 it makes no difference there.
_INVERSE_REGULARISATION: Final = 0.03
_TOLERANCE: Final = 1e-4


class EmbeddingRegression:
    """Logistic regression on standardised means of an encoder's last and an inner layer."""

    def __init__(self, embeddings: Embeddings, scaler: Any, regression: Any) -> None:
        self._embeddings, self._scaler, self._regression = embeddings, scaler, regression

    @classmethod
    def fit(cls, dataset: Dataset, config: TrainConfig, progress: Progress) -> EmbeddingRegression:
        """Fit to the most probable category of each row, weighed by its probability and weight.

        A category's rows together count as much as the square root of what they weigh: between the
        mix of the training set and none.

        Raises:
            DataError: the texts are of one category.
            CheckpointError: the base cannot be used.
        """
        check_learnable(dataset)
        embeddings = embeddings_of(checkpoint_digest(str(config.encoder)), config)
        vectors = embeddings.of(dataset.normalized, progress)
        scaler = StandardScaler().fit(vectors)
        regression = LogisticRegression(
            C=_INVERSE_REGULARISATION, tol=_TOLERANCE, max_iter=500, random_state=config.seed
        )
        progress("regression", 0, 1)
        sure = dataset.probabilities.max(axis=1) * dataset.weight
        total = np.bincount(dataset.categories, weights=sure, minlength=CATEGORY_COUNT)
        even = sure / np.sqrt(total)[dataset.categories]
        regression.fit(
            scaler.transform(vectors),
            dataset.categories,
            sample_weight=even * (sure.sum() / even.sum()),
        )
        progress("regression", 1, 1)
        return cls(embeddings, scaler, regression)

    @property
    def parameters(self) -> int:
        """How many coefficients were learned."""
        return int(self._regression.coef_.size)

    def logits(self, normalized: Sequence[str]) -> NDArray[np.float32]:
        """Return log probabilities, float32 [texts, 9]."""
        vectors = self._scaler.transform(self._embeddings.of(normalized))
        seen = np.log(np.maximum(self._regression.predict_proba(vectors), _LOG_FLOOR))
        logits = np.full((len(normalized), CATEGORY_COUNT), np.log(_LOG_FLOOR), dtype=np.float32)
        logits[:, self._regression.classes_] = seen
        return logits


class Embeddings:
    """Vectors of texts, each made once in the life of the process.

    Args:
        encoder: is not changed.
        max_length: word pieces that it reads of a text.
    """

    def __init__(self, encoder: Encoder, max_length: int) -> None:
        self._encoder, self._max_length = encoder, max_length
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, normalized: Sequence[str], progress: Progress = silent) -> NDArray[np.float32]:
        """Return float32 [texts, twice the encoder's width].

        Args:
            normalized: texts.
            progress: is told how many of those that are new have been read.
        """
        new = [text for text in dict.fromkeys(normalized) if text not in self._known]
        ids = self._encoder.tokenize(new, self._max_length)
        order = np.argsort([len(row) for row in ids], kind="stable")
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for row, vector in zip(rows, self._read([ids[row] for row in rows]), strict=True):
                self._known[new[row]] = vector
            progress("embeddings", min(start + _BATCH, len(new)), len(new))
        return np.stack([self._known[text] for text in normalized])

    def _read(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        padded, filled = pad(ids, self._encoder.pad_id)
        inputs, mask = torch.from_numpy(padded), torch.from_numpy(filled)
        with torch.inference_mode():
            layers = self._encoder.model(
                input_ids=inputs, attention_mask=mask, output_hidden_states=True
            ).hidden_states
            inner = layers[round(_INNER * (len(layers) - 1))]
            parts = [pool(hidden, mask, "mean") for hidden in (layers[-1], inner)]
        return np.asarray(torch.cat(parts, dim=1).numpy(), dtype=np.float32)


@lru_cache(maxsize=2)
def _embeddings(digest: str, name: str, max_length: int) -> Embeddings:
    del digest  # another checkpoint under the same name is another one
    encoder = load_encoder(name)
    encoder.model.eval()
    return Embeddings(encoder, min(max_length, encoder.positions))


def embeddings_of(digest: str, config: TrainConfig) -> Embeddings:
    """Return the vectors of a checkpoint, with those that were made of it before.

    Args:
        digest: of the checkpoint.
        config: names it, and says how much of a text is read.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    return _embeddings(digest, str(config.encoder), config.max_length)
