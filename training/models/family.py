"""What every family has in common: texts and soft labels in, something that gives logits out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.errors import TrainingError
from training.fit.config import Progress, TrainConfig


class UnknownFamily(TrainingError):
    """No family has this name."""

    exit_code = 2


class Trained(Protocol):
    """A trained model, in memory."""

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""

    def logits(self, normalized: Sequence[str]) -> NDArray[np.float32]:
        """Return logits float32 [texts, categories] for normalised texts."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family: its name, and how to train one of it.

    Attributes:
        name: as the command line takes it.
        summary: one line for people.
        fit: trains on a dataset.
        servable: whether it exports to the ONNX contract.
        based: whether it starts from a base checkpoint.
        varies: whether it is trained by gradients, and so knows ways and tricks.
        taught: whether it learns from teachers as well, where the configuration names some.
        trains_layers: whether it trains the layers of its base, so that some can be frozen.
        averages: whether the mean of the weights of several trainings is one of it, too: a mean of products
            is not the product of the means.
    """

    name: str
    summary: str
    fit: Callable[[Dataset, TrainConfig, Progress], Trained]
    servable: bool
    based: bool = True
    varies: bool = True
    taught: bool = True
    trains_layers: bool = False
    averages: bool = True


def _majority(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
    from training.models.baselines import Majority  # noqa: PLC0415 - scikit-learn when needed

    return Majority.fit(dataset, config, progress)


def _ngrams(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
    from training.models.baselines import NgramRegression  # noqa: PLC0415 - likewise

    return NgramRegression.fit(dataset, config, progress)


def _embeddings(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
    from training.models.embeddings import EmbeddingRegression  # noqa: PLC0415 - likewise

    return EmbeddingRegression.fit(dataset, config, progress)


def _hybrid(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
    from training.models.hybrid import HybridModel  # noqa: PLC0415 - likewise

    return HybridModel.fit(dataset, config, progress)


def _static(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
    from training.models.static import StaticModel  # noqa: PLC0415 - likewise

    return StaticModel.fit(dataset, config, progress)


def _neural(name: str) -> Callable[[Dataset, TrainConfig, Progress], Trained]:
    def fit(dataset: Dataset, config: TrainConfig, progress: Progress) -> Trained:
        from training.fit.loop import fit_module  # noqa: PLC0415 - torch only when needed
        from training.models.builders import BUILDERS  # noqa: PLC0415 - likewise
        from training.models.pruning import doubted  # noqa: PLC0415 - likewise

        build: Any = BUILDERS[name]
        return fit_module(build, dataset, config, progress, doubted)

    return fit


FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (
        Family(
            "majority",
            "The most frequent category, always.",
            _majority,
            False,
            based=False,
            varies=False,
            taught=False,
        ),
        Family(
            "ngrams",
            "Logistic regression on word and character n-grams.",
            _ngrams,
            False,
            based=False,
            varies=False,
            taught=False,
        ),
        Family(
            "embeddings",
            "Logistic regression on a frozen encoder's embeddings.",
            _embeddings,
            True,
            varies=False,
            taught=False,
        ),
        Family(
            "hybrid",
            "Mean of `embeddings` and of `static` on the encoder's pieces.",
            _hybrid,
            True,
            varies=False,
            taught=False,
        ),
        Family("bert", "BERT, all weights trained.", _neural("bert"), True, trains_layers=True),
        Family(
            "lora",
            "BERT, low-rank updates of attention, merged.",
            _neural("lora"),
            True,
            averages=False,
        ),
        Family("mlp", "MLP on pooled embeddings of a frozen BERT.", _neural("mlp"), True),
        Family("lstm", "Bidirectional LSTM on word pieces.", _neural("lstm"), True),
        Family(
            "static",
            "Linear in word pieces, their letters and their pairs.",
            _static,
            True,
            based=False,
            varies=False,
        ),
        Family(
            "bert-lstm",
            "BERT with an LSTM on top.",
            _neural("bert-lstm"),
            True,
            trains_layers=True,
        ),
        Family(
            "bert-lstm-attention",
            "BERT, LSTM, and attention over its states.",
            _neural("bert-lstm-attention"),
            True,
            trains_layers=True,
        ),
        Family(
            "bert-lstm-dropout",
            "BERT, LSTM, attention, and a dropout of one half.",
            _neural("bert-lstm-dropout"),
            True,
            trains_layers=True,
        ),
    )
}


def family(name: str) -> Family:
    """Look a family up.

    Raises:
        UnknownFamily: there is none of this name.
    """
    if name not in FAMILIES:
        raise UnknownFamily(f"there is no family {name!r}", f"use one of {', '.join(FAMILIES)}")
    return FAMILIES[name]
