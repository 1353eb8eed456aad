"""Logistic regression on what a frozen encoder makes of a text: a large encoder's cheapest use.

Nothing of the encoder is trained, so each text is read by it once, however often the regression is
fitted: out of fold, or as a teacher beside others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from schemas import category_count
from training.data.dataset import Dataset, check_learnable
from training.encoders.checkpoints import checkpoint_digest
from training.encoders.encoder import Encoder, load_encoder
from training.fit.config import Progress, TrainConfig, silent
from training.fit.loop import NeuralModel, read_by
from training.fit.runtime import pick_device
from training.models.pooling import pool

# The last layer is turned to what the encoder was trained for; one at two thirds knows more of words.
_INNER: Final = 2 / 3
# Chosen by predictions that leave products out: between 0.01 and 0.1 it makes no difference there.
_INVERSE_REGULARISATION: Final = 0.03
_TOLERANCE: Final = 1e-4
# Logit of a category without rows; those of the others lie within some tens of zero.
_IMPOSSIBLE: Final = -60.0
_MOST_KEPT: Final = 100_000
"""Vectors of one encoder that are kept: 300 MB of one that is 384 wide. Beyond, texts are read again."""


class EmbeddingRegression(NeuralModel):
    """Logistic regression on standardised means of an encoder's last and an inner layer."""

    def __init__(self, embeddings: Embeddings, scaler: Any, regression: Any) -> None:
        self._embeddings, self._regression = embeddings, regression
        module = EmbeddingClassifier(embeddings.encoder.model, scaler, regression)
        super().__init__(module, embeddings.encoder, embeddings.max_length)

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
        embeddings = embeddings_of(config)
        vectors = embeddings.of(dataset.normalized, progress)
        scaler = StandardScaler().fit(vectors)
        regression = LogisticRegression(
            C=_INVERSE_REGULARISATION, tol=_TOLERANCE, max_iter=500, random_state=config.seed
        )
        progress("regression", 0, 1)
        sure = dataset.probabilities.max(axis=1) * dataset.weight
        total = np.bincount(dataset.categories, weights=sure, minlength=category_count())
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
        """Return log probabilities, float32 [texts, categories]; texts that were read before are not again."""
        vectors = torch.from_numpy(self._embeddings.of(normalized))
        with torch.inference_mode():
            found = cast("EmbeddingClassifier", self.module).decide(vectors)
        return np.asarray(found.numpy(), dtype=np.float32)


class EmbeddingClassifier(nn.Module):
    """The encoder and the regression as one module, as it is served."""

    def __init__(self, encoder: Any, scaler: Any, regression: Any) -> None:
        super().__init__()
        self.encoder = encoder
        width = len(scaler.mean_)
        self.mean = nn.Parameter(_floats(scaler.mean_), requires_grad=False)
        self.scale = nn.Parameter(_floats(1 / scaler.scale_), requires_grad=False)
        self.head = nn.Linear(width, category_count())
        weight, bias = regression.coef_, regression.intercept_
        if len(weight) == 1:  # of two categories the library keeps one row
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.fill_(_IMPOSSIBLE)
            self.head.weight[regression.classes_] = _floats(weight)
            self.head.bias[regression.classes_] = _floats(bias)

    def decide(self, vectors: Tensor) -> Tensor:
        """Return log probabilities [rows, categories] of the encoder's vectors."""
        return torch.log_softmax(self.head((vectors - self.mean) * self.scale), dim=1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return log probabilities [rows, categories] for int64 [rows, length] ids and mask."""
        return self.decide(two_layers(self.encoder, input_ids, attention_mask))


def two_layers(encoder: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the means of an encoder's last and an inner layer, [rows, twice its width]."""
    layers = encoder(
        input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
    ).hidden_states
    inner = layers[round(_INNER * (len(layers) - 1))]
    return pool(torch.cat([layers[-1], inner], dim=-1), attention_mask, "mean")


def _floats(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


class _Layers(nn.Module):
    """Reads texts into the vectors that the regression is fitted to."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return a vector for each row of int64 [rows, length] ids and mask."""
        return two_layers(self.model, input_ids, attention_mask)


class Embeddings:
    """Vectors of texts; the latest are kept, so that a text is read once, however often it is asked for.

    Args:
        encoder: is not changed.
        max_length: word pieces that it reads of a text.
        device: that it reads on.
        most_kept: vectors.
    """

    def __init__(
        self,
        encoder: Encoder,
        max_length: int,
        device: torch.device,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        self.encoder, self.max_length, self._most_kept = encoder, max_length, most_kept
        self._layers = _Layers(encoder.model).to(device)
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, normalized: Sequence[str], progress: Progress = silent) -> NDArray[np.float32]:
        """Return float32 [texts, twice the encoder's width].

        Args:
            normalized: texts.
            progress: is told how many of those that are new have been read.
        """
        new = [text for text in dict.fromkeys(normalized) if text not in self._known]
        ids, read = self.encoder.tokenize(new, self.max_length), 0
        for rows, vectors in read_by(self._layers, ids, self.encoder.pad_id):
            self._known.update(
                (new[row], vector) for row, vector in zip(rows, vectors, strict=True)
            )
            read += len(rows)
            progress("embeddings", read, len(new))
        found = np.stack([self._known[text] for text in normalized])
        while len(self._known) > self._most_kept:
            del self._known[next(iter(self._known))]
        return found


class _Key(NamedTuple):
    """What vectors hang on: another checkpoint under the same name is another one."""

    base: str
    digest: str
    max_length: int
    device: torch.device


@lru_cache(maxsize=2)
def _embeddings(key: _Key) -> Embeddings:
    encoder = load_encoder(key.base)
    return Embeddings(encoder, min(key.max_length, encoder.positions), key.device)


def embeddings_of(config: TrainConfig) -> Embeddings:
    """Return the vectors of a base, with those that were made of it before.

    Args:
        config: names the base, and says how much of a text is read, and where.

    Raises:
        CheckpointError: the base cannot be used.
        LabellerUnavailable: it is not on this machine.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    base = str(config.encoder)
    device = pick_device(config.device)
    return _embeddings(_Key(base, checkpoint_digest(base), config.max_length, device))
