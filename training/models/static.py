"""A linear model of word pieces, their letters and their pairs: no state, a few look-ups a text.

Fitted as support vector machines on tf-idf, each category against the others (Joachims, "Text
Categorization with Support Vector Machines", 1998), and beside them a multinomial regression with a
smaller say, from nothing: its vocabulary is that of the texts. Both are linear, so their
sum is, too, and costs nothing when it is served. What is served is a table of each kind of features, with a row for each piece or pair; a
piece's row of letters holds the weights of all its n-grams.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, eye, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from tokenizers import Tokenizer
from torch import Tensor, nn

from schemas import category_count
from training.data.dataset import Dataset, check_learnable
from training.encoders.encoder import SPECIALS, Encoder
from training.encoders.vocabulary import learn_tokenizer
from training.fit.config import Progress, TrainConfig
from training.fit.loop import NeuralModel

# Pieces so far apart are a pair, in either order; neighbours are one in their order as well. Out of fold
# on 77 intents, pairs gain 0.6 points of accuracy, and pairs in their order up to three apart nothing.
# Pairs of what pieces begin with, so that a word's forms are one, gain 0.2 more.
_WINDOW: Final = 12
_BEGIN: Final = 4
_NEIGHBOURS: Final = 1 << 15
_PAIRS: Final = 1 << 17
# The beginning of a piece that is not there, or says nothing.
_NOTHING: Final = 0
# Odd and far apart, so that pairs spread evenly; products with ids stay far below 2**63.
_FIRST, _SECOND = 1_000_003, 8_191
_GRAMS: Final = range(2, 6)
# Of a text that has none of a kind of features: it is divided by no less.
_SHORTEST: Final = 1e-12
_CONTINUES: Final = "##"
# How other vocabularies mark the beginning of a word.
_SPACE: Final = "\u2581"
_LONGEST_EMPTY: Final = 16
# Letters and pairs that one text alone holds teach nothing of another.
_LEAST_TEXTS: Final = 2
# Between 0.25 and 1 it makes no difference, out of fold.
_INVERSE_REGULARISATION: Final = 0.5
# The regression errs on other texts. Of five shares of it, a fifth is best on five folds of 77 intents:
# 0.9091 instead of 0.9083, no more than chance may give, at no cost when it is served. Alone: 0.905.
_REGRESSION: Final = 0.2
_REGRESSION_INVERSE_REGULARISATION: Final = 30.0
# It converges in about thirty.
_MOST_STEPS: Final = 200
# Margins are about one apart where a softmax wants several.
_SHARPNESS: Final = 4.0
# Logit of a category without rows: below that of any other.
_IMPOSSIBLE: Final = -60.0


class StaticModel(NeuralModel):
    """Fitted tables, and the vocabulary that they are read through."""

    @classmethod
    def fit(cls, dataset: Dataset, config: TrainConfig, progress: Progress) -> StaticModel:
        """Fit to the most probable category of each row, weighed by its probability and weight.

        Raises:
            DataError: the texts are of one category.
        """
        check_learnable(dataset)
        progress("vocabulary", 0, 3)
        encoder = Encoder(None, learn_tokenizer(dataset.normalized))
        return cls.fit_on(encoder, dataset, config, progress)

    @classmethod
    def fit_on(
        cls, encoder: Encoder, dataset: Dataset, config: TrainConfig, progress: Progress
    ) -> StaticModel:
        """Fit as :meth:`fit` does, to the pieces of a vocabulary that there is.

        Args:
            encoder: whose vocabulary it is; only its tokenizer is used.
            dataset: what to train on.
            config: how.
            progress: is told how far it is.
        """
        progress("features", 1, 3)
        ids = encoder.tokenize(dataset.normalized, config.max_length)
        blocks = blocks_of(encoder, ids)
        progress("support vectors", 2, 3)
        features = csr_matrix(hstack([block.scaled for block in blocks]))
        linear = Linear.fit(dataset, features, config.seed)
        progress("support vectors", 3, 3)
        module = StaticClassifier(blocks, encoder, linear)
        return cls(module, encoder, config.max_length)

    @property
    def parameters(self) -> int:
        """How many numbers are looked up."""
        return sum(p.numel() for p in self.module.parameters())


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear model of features.

    Attributes:
        categories: ids of those that have rows, int64 [present].
        weights: of each feature, float64 [present, features].
        bias: float64 [present].
    """

    categories: NDArray[np.int64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(cls, dataset: Dataset, features: csr_matrix, seed: int) -> Linear:
        """Fit one machine a category, and a regression of all; see the module."""
        sure = dataset.probabilities.max(axis=1) * dataset.weight
        machine = LinearSVC(C=_INVERSE_REGULARISATION, random_state=seed)
        machine.fit(features, dataset.categories, sample_weight=sure)
        regression = LogisticRegression(C=_REGRESSION_INVERSE_REGULARISATION, max_iter=_MOST_STEPS)
        # It works on all weights at once, most of which no text has: seven times as fast without them.
        met = np.flatnonzero(features.getnnz(axis=0))
        regression.fit(features[:, met].astype(np.float32), dataset.categories, sample_weight=sure)
        weights, bias = machine.coef_, machine.intercept_ + _REGRESSION * regression.intercept_
        weights[:, met] += _REGRESSION * regression.coef_
        if len(weights) == 1:  # of two categories the library keeps one row
            weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
        return cls(machine.classes_, weights * _SHARPNESS, bias * _SHARPNESS)


@dataclass(frozen=True, slots=True)
class Block:
    """Features of one kind. A text's features of each kind have the same length together.

    Other lengths, chosen on two folds of 77 intents, gained nothing on three others.

    Attributes:
        units: what the served table has a row for, of each text, [texts, units].
        of_units: the features of each unit, weighed by how rare they are, [units, features].
    """

    units: csr_matrix
    of_units: csr_matrix

    @classmethod
    def of(cls, units: csr_matrix, features: csr_matrix) -> Block:
        """Weigh the features of units as texts hold them."""
        return cls(units, csr_matrix(features @ diags(_idf(units @ features))))

    @property
    def squares(self) -> NDArray[np.float64]:
        """The squared length that each unit adds, were no feature met twice in a text."""
        return np.asarray(self.of_units.power(2).sum(axis=1), dtype=np.float64).ravel()

    @property
    def scaled(self) -> csr_matrix:
        """The texts' features divided by their length, [texts, features]."""
        length = np.sqrt(np.maximum(self.units @ self.squares, _SHORTEST))
        return csr_matrix(diags(1 / length) @ self.units @ self.of_units)


def blocks_of(encoder: Encoder, ids: Sequence[Sequence[int]]) -> tuple[Block, ...]:
    """Return the features of texts: pieces, their letters, neighbours, and pairs in either order."""
    tokenizer, silent = encoder.tokenizer, silent_pieces(encoder)
    real = [[piece for piece in row if piece not in silent] for row in ids]
    pieces = _counted(real, tokenizer.get_vocab_size())
    neighbours = _counted([list(_neighbours(row)) for row in real], _NEIGHBOURS)
    begins = begins_of(tokenizer)
    pairs = _counted([list(_pairs([int(begins[i]) for i in row])) for row in real], _PAIRS)
    return (
        Block.of(pieces, csr_matrix(eye(pieces.shape[1]))),
        Block.of(pieces, letters_of(tokenizer)),
        Block.of(neighbours, csr_matrix(eye(_NEIGHBOURS))),
        Block.of(pairs, csr_matrix(eye(_PAIRS))),
    )


def silent_pieces(encoder: Encoder) -> frozenset[int]:
    """Return pieces that say nothing of a text: those of an empty one, padding, what is unknown.

    An empty text has the marks of beginning and end, and what the encoder wants before every text.
    """
    empty = encoder.tokenize([""], _LONGEST_EMPTY)[0]
    return frozenset((*empty, encoder.pad_id, encoder.unknown_id))


def spelled(tokenizer: Tokenizer) -> list[str]:
    """Return the letters of each piece; one that goes on with a word begins with ``##``.

    >>> from tokenizers.models import Unigram
    >>> spelled(Tokenizer(Unigram([("\u2581card", 0.0), ("s", 0.0)])))
    ['card', '##s']
    """
    tokens = [tokenizer.id_to_token(piece) or "" for piece in range(tokenizer.get_vocab_size())]
    if not any(token.startswith(_SPACE) for token in tokens):
        return tokens
    return [
        token.removeprefix(_SPACE) if token.startswith(_SPACE) else _CONTINUES + token
        for token in tokens
    ]


def begins_of(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return a number for each piece that those with the same first letters share, int64 [pieces].

    None has the number 0, which says that there is no piece.
    """
    numbers: dict[str, int] = {}
    found = []
    for token in spelled(tokenizer):
        mark = _CONTINUES if token.startswith(_CONTINUES) else ""
        begin = mark + token.removeprefix(mark)[:_BEGIN]
        found.append(numbers.setdefault(begin, len(numbers) + 1))
    return np.array(found, dtype=np.int64)


def letters_of(tokenizer: Tokenizer) -> csr_matrix:
    """Return how often each letter n-gram is in each piece of a vocabulary, [pieces, n-grams]."""
    numbers: dict[str, int] = {}
    rows, columns = [], []
    for piece, token in enumerate(spelled(tokenizer)):
        for gram in _grams(token):
            rows.append(piece)
            columns.append(numbers.setdefault(gram, len(numbers)))
    shape = (tokenizer.get_vocab_size(), max(len(numbers), 1))
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


class ServedBlock(nn.Module):
    """A block as it is served: a row of categories for each unit, and in it the square of its length.

    Behind them is one more row, of nothing, for what says nothing: so none needs to be multiplied away.
    Looking up rows is most of what a text costs, hence one table for both.

    Args:
        rows: of each unit, float64 [units, categories].
        squares: of each unit, float64 [units].
        silent: units that say nothing.
    """

    def __init__(
        self, rows: NDArray[np.float64], squares: NDArray[np.float64], silent: Collection[int] = ()
    ) -> None:
        super().__init__()
        # In eight bits a table has one scale.
        self._scale = float(squares.max() / np.abs(rows).max()) if rows.any() else 1.0
        table = np.column_stack([rows, squares / self._scale])
        table = np.append(table, np.zeros((1, table.shape[1])), axis=0)
        table[list(silent)] = 0.0
        self.rows = nn.Embedding(len(table), table.shape[1], _weight=_floats(table))

    def forward(self, units: Tensor) -> Tensor:
        """Return the sum of rows over their length, [texts, categories], for int64 [texts, units]."""
        total = self.rows(units).sum(dim=1)
        square = total[:, -1:] * self._scale
        scaled: Tensor = total[:, :-1] / square.clamp(min=_SHORTEST).sqrt()
        return scaled


class StaticClassifier(nn.Module):
    """The tables of all blocks, added up."""

    def __init__(self, blocks: Sequence[Block], encoder: Encoder, linear: Linear) -> None:
        super().__init__()
        begins, silent = begins_of(encoder.tokenizer), silent_pieces(encoder)
        begins[list(silent)] = _NOTHING
        self.begins: Tensor
        self.register_buffer("begins", torch.from_numpy(begins))
        self._silent = encoder.pad_id
        ends = np.cumsum([block.of_units.shape[1] for block in blocks])
        tables = []
        of_pieces = (silent, silent, (), ())
        weights = np.split(linear.weights, ends[:-1], axis=1)
        for block, own, saying_nothing in zip(blocks, weights, of_pieces, strict=True):
            rows = np.zeros((block.of_units.shape[0], category_count()))
            rows[:, linear.categories] = block.of_units @ own.T
            tables.append(ServedBlock(rows, block.squares, saying_nothing))
        self.pieces, self.letters, self.neighbours, self.pairs = tables
        self.bias = nn.Parameter(torch.full((category_count(),), _IMPOSSIBLE), requires_grad=False)
        with torch.no_grad():
            self.bias[linear.categories] = _floats(linear.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        ids = torch.where(attention_mask > 0, input_ids, self._silent)
        begins = self.begins[ids]
        total = self.pieces(ids) + self.letters(ids)
        total = total + self.neighbours(_neighbours_of(ids, begins))
        logits: Tensor = total + self.pairs(_pairs_of(begins)) + self.bias
        return logits


def _neighbours_of(ids: Tensor, begins: Tensor) -> Tensor:
    """Return the units of neighbours, in their order, int64 [rows, length - 1]."""
    units = (ids[:, :-1] * _FIRST + ids[:, 1:] * _SECOND) % _NEIGHBOURS
    return torch.where((begins[:, :-1] * begins[:, 1:]) == _NOTHING, _NEIGHBOURS, units)


def _neighbours(pieces: Sequence[int]) -> Iterator[int]:
    for left, right in pairwise(pieces):
        yield (left * _FIRST + right * _SECOND) % _NEIGHBOURS


def _pairs_of(begins: Tensor) -> Tensor:
    """Return the units of pairs in either order, int64 [rows, pairs]."""
    distances = range(1, _WINDOW + 1)
    left = torch.cat([begins[:, :-distance] for distance in distances], dim=1)
    right = torch.cat([begins[:, distance:] for distance in distances], dim=1)
    low, high = torch.minimum(left, right), torch.maximum(left, right)
    return torch.where(low == _NOTHING, _PAIRS, (low * _FIRST + high * _SECOND) % _PAIRS)


def _pairs(pieces: Sequence[int]) -> Iterator[int]:
    for place, left in enumerate(pieces):
        for right in pieces[place + 1 : place + 1 + _WINDOW]:
            low, high = min(left, right), max(left, right)
            yield (low * _FIRST + high * _SECOND) % _PAIRS


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
