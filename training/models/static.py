"""A linear model of word pieces, their letters and their pairs: no state, a few look-ups a text.

Fitted as support vector machines on tf-idf, one category against the others (Joachims, "Text
Categorization with Support Vector Machines", 1998; Crammer and Singer, 2002, for how they are compared),
in seconds and from nothing: its vocabulary is that of the texts. What is served is a table with one
row for each piece and each pair; a piece's row holds the weights of its letters too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.svm import LinearSVC
from tokenizers import Tokenizer
from torch import Tensor, nn

from schemas import category_count
from training.data.dataset import Dataset, check_learnable
from training.fit.config import Progress, TrainConfig
from training.fit.loop import NeuralModel
from training.pretraining.encoder import SPECIALS, Encoder
from training.pretraining.vocabulary import learn_tokenizer

# Pieces so far apart are a pair, in either order; neighbours are one in their order as well. Pairs
# gained 0.6 points on 77 intents of short questions; with neighbours alone 0.1.
_WINDOW: Final = 12
_PAIRS: Final = 1 << 17
# Odd and far apart, so that pairs spread evenly; products with ids stay far below 2**63.
_FIRST, _SECOND, _ORDERED = 1_000_003, 8_191, 524_287
_GRAMS: Final = range(2, 6)
_CONTINUES: Final = "##"
# Letters and pairs that one text alone holds teach nothing of another.
_LEAST_TEXTS: Final = 2
# Between 0.25 and 1 it makes no difference, out of fold.
_INVERSE_REGULARISATION: Final = 0.5
# Margins are about one apart where a softmax wants several.
_SHARPNESS: Final = 4.0
# Logit of a category without rows: below that of any other.
_IMPOSSIBLE: Final = -60.0


class StaticModel(NeuralModel):
    """A fitted table, and the vocabulary that it reads through."""

    @classmethod
    def fit(cls, dataset: Dataset, config: TrainConfig, progress: Progress) -> StaticModel:
        """Fit to the most probable category of each row, weighed by its probability and weight.

        Raises:
            DataError: the texts are of one category.
        """
        check_learnable(dataset)
        progress("vocabulary", 0, 3)
        tokenizer = learn_tokenizer(dataset.normalized)
        encoder = Encoder(None, tokenizer)
        features = Features.of(tokenizer)
        progress("features", 1, 3)
        counts = features.counts(encoder.tokenize(dataset.normalized, config.max_length))
        weights = _idf(counts)
        progress("support vectors", 2, 3)
        scaled = diags(1 / features.lengths(counts, weights)) @ counts @ diags(weights)
        machine = cls.machine(dataset, csr_matrix(scaled), config.seed)
        module = StaticClassifier(features, weights, machine)
        progress("support vectors", 3, 3)
        return cls(module, encoder, config.max_length)

    @staticmethod
    def machine(dataset: Dataset, features: csr_matrix, seed: int) -> LinearSVC:
        """Fit one machine a category."""
        sure = dataset.probabilities.max(axis=1) * dataset.weight
        machine = LinearSVC(C=_INVERSE_REGULARISATION, random_state=seed)
        return machine.fit(features, dataset.categories, sample_weight=sure)

    @property
    def parameters(self) -> int:
        """How many numbers are looked up."""
        return sum(p.numel() for p in self.module.parameters())


@dataclass(frozen=True, slots=True)
class Features:
    """Which features a text has: its pieces, the n-grams of their letters, and pairs of pieces.

    Attributes:
        grams: how often each n-gram is in each piece, [pieces, n-grams].
    """

    grams: csr_matrix

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Features:
        """Number the n-grams of a vocabulary's pieces."""
        numbers: dict[str, int] = {}
        rows, columns = [], []
        for piece in range(tokenizer.get_vocab_size()):
            for gram in _grams(tokenizer.id_to_token(piece) or ""):
                rows.append(piece)
                columns.append(numbers.setdefault(gram, len(numbers)))
        shape = (tokenizer.get_vocab_size(), max(len(numbers), 1))
        return cls(csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape))

    @property
    def pieces(self) -> int:
        """Size of the vocabulary."""
        return int(self.grams.shape[0])

    def counts(self, ids: Sequence[Sequence[int]]) -> csr_matrix:
        """Return how often each text has each feature: pieces, then n-grams, then pairs."""
        real = [[piece for piece in row if piece >= len(SPECIALS)] for row in ids]
        pieces = _counted(real, self.pieces)
        pairs = _counted([list(_pairs(row)) for row in real], _PAIRS)
        return csr_matrix(hstack([pieces, pieces @ self.grams, pairs]))

    def lengths(self, counts: csr_matrix, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each text is divided by, float64 [texts]: its length, were no feature met twice."""
        pieces, pairs = self.squares(weights)
        found = counts[:, : self.pieces] @ pieces + counts[:, -_PAIRS:] @ pairs
        return np.asarray(np.sqrt(np.maximum(found, 1e-12)), dtype=np.float64)

    def squares(self, weights: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the squared length that each piece, its letters included, and each pair adds."""
        of_grams = self.grams.power(2) @ (weights[self.pieces : -_PAIRS] ** 2)
        return weights[: self.pieces] ** 2 + of_grams, weights[-_PAIRS:] ** 2


class StaticClassifier(nn.Module):
    """The table: a row of categories for each piece and pair, and the square of its length."""

    def __init__(self, features: Features, weights: NDArray[np.float64], machine: Any) -> None:
        super().__init__()
        coefficients, bias = machine.coef_, machine.intercept_
        if len(coefficients) == 1:  # of two categories the library keeps one row
            coefficients = np.concatenate([-coefficients, coefficients])
            bias = np.concatenate([-bias, bias])
        scaled = (coefficients * weights).T * _SHARPNESS
        pieces = scaled[: features.pieces] + features.grams @ scaled[features.pieces : -_PAIRS]
        squares = features.squares(weights)
        self.pieces = _table(pieces, machine.classes_)
        self.pairs = _table(scaled[-_PAIRS:], machine.classes_)
        self.squares_of_pieces = nn.Parameter(_floats(squares[0]), requires_grad=False)
        self.squares_of_pairs = nn.Parameter(_floats(squares[1]), requires_grad=False)
        self.bias = nn.Parameter(torch.full((category_count(),), _IMPOSSIBLE), requires_grad=False)
        with torch.no_grad():
            self.bias[machine.classes_] = _floats(bias * _SHARPNESS)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        real = ((input_ids >= len(SPECIALS)) & (attention_mask > 0)).to(self.bias.dtype)
        rows, present = _pairs_of(input_ids, real)
        total = _summed(real, self.pieces(input_ids)) + _summed(present, self.pairs(rows))
        square = (real * self.squares_of_pieces[input_ids]).sum(dim=1) + (
            present * self.squares_of_pairs[rows]
        ).sum(dim=1)
        return total / square.clamp(min=1e-12).sqrt().unsqueeze(1) + self.bias


def _pairs_of(ids: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows of all pairs, and which of them are there, [rows, pairs]."""
    rows, present = [], []
    for distance in range(1, _WINDOW + 1):
        left, right = ids[:, :-distance], ids[:, distance:]
        both = real[:, :-distance] * real[:, distance:]
        low, high = torch.minimum(left, right), torch.maximum(left, right)
        rows.append((low * _FIRST + high * _SECOND) % _PAIRS)
        present.append(both)
        if distance == 1:
            rows.append((left * _FIRST + right * _SECOND + _ORDERED) % _PAIRS)
            present.append(both)
    return torch.cat(rows, dim=1), torch.cat(present, dim=1)


def _pairs(pieces: Sequence[int]) -> Iterator[int]:
    """Yield the rows of a text's pairs: see :func:`_pairs_of`."""
    for place, left in enumerate(pieces):
        for right in pieces[place + 1 : place + 1 + _WINDOW]:
            low, high = min(left, right), max(left, right)
            yield (low * _FIRST + high * _SECOND) % _PAIRS
        if place + 1 < len(pieces):
            yield (left * _FIRST + pieces[place + 1] * _SECOND + _ORDERED) % _PAIRS


def _summed(weight: Tensor, vectors: Tensor) -> Tensor:
    return torch.matmul(weight.unsqueeze(1), vectors).squeeze(1)


def _counted(rows: Sequence[Sequence[int]], width: int) -> csr_matrix:
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((column for row in rows for column in row), np.int64, int(ends[-1]))
    found = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), width))
    found.sum_duplicates()
    return found


def _idf(counts: csr_matrix) -> NDArray[np.float64]:
    """Return the weight of each feature: the rarer the higher; none for what too few texts have."""
    texts = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log((1 + counts.shape[0]) / (1 + texts)) + 1
    return np.where(texts >= _LEAST_TEXTS, idf, 0.0)


def _table(rows: NDArray[np.float64], categories: NDArray[np.int64]) -> nn.Embedding:
    table = nn.Embedding(len(rows), category_count())
    with torch.no_grad():
        table.weight.zero_()
        table.weight[:, categories] = _floats(rows)
    return table


def _floats(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def _grams(piece: str) -> Iterator[str]:
    """Yield a piece's letter n-grams; where a word begins and ends is a letter too."""
    if piece in SPECIALS:
        return
    inner = piece.startswith(_CONTINUES)
    marked = f"{'' if inner else ' '}{piece.removeprefix(_CONTINUES)} "
    for length in _GRAMS:
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]
