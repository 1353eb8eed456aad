"""Static vectors: word pieces, pairs of pieces and letters, summed; two small layers on the sum.

No state depends on another, so that a text costs a few look-ups and one small product. (Joulin et al.,
"Bag of Tricks for Efficient Text Classification", 2017; letters as in Bojanowski et al., "Enriching
Word Vectors with Subword Information", 2017.)
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from schemas import category_count
from training.fit.config import TrainConfig
from training.pretraining.encoder import SPECIALS, Encoder

# Neighbours, and pieces with one between them: "not arrived" and "not yet arrived" share a pair.
_DISTANCES: Final = (1, 2)
# Odd and far apart, so that pairs spread evenly; products with ids stay far below 2**63.
_FIRST, _SECOND, _APART = 1_000_003, 8_191, 524_287
_PAIRS: Final = 1 << 15
_GRAMS: Final = range(3, 6)
_LETTERS: Final = 1 << 14
_CONTINUES: Final = "##"
_DEVIATION: Final = 0.05
# Of the pieces and pairs of a text, in training: none of them must be all that a category is known by.
_LEFT_OUT: Final = 0.3


class Letters(nn.Module):
    """Vectors of the letter n-grams in each piece: what one spelling teaches, its kin know.

    Used in training alone: in what is served they are part of the pieces' own vectors.
    """

    def __init__(self, tokenizer: Tokenizer, width: int) -> None:
        super().__init__()
        pieces = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
        rows = [list(_grams(piece)) for piece in pieces]
        longest = max(map(len, rows))
        # Row 0 stays zero: it fills up.
        self.grams: Tensor
        filled = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        self.register_buffer("grams", filled, persistent=False)
        self.table = _table(_LETTERS, width, padding=0)

    def forward(self, pieces: Tensor) -> Tensor:
        """Return a vector for each piece, [pieces, width]."""
        grams = self.grams[pieces]
        count = (grams > 0).sum(dim=1, keepdim=True).clamp(min=1)
        summed = nn.functional.embedding_bag(grams, self.table.weight, mode="sum", padding_idx=0)
        return torch.as_tensor(summed / count.sqrt())


class StaticClassifier(nn.Module):
    """Sum of the vectors of pieces and pairs; then a hidden layer, and one that reads both."""

    def __init__(self, encoder: Encoder, config: TrainConfig) -> None:
        super().__init__()
        width = config.hidden
        # Named in `training.fit.optimizer`: they start from nothing.
        self.tables = nn.ModuleDict(
            {
                "pieces": _table(encoder.tokenizer.get_vocab_size(), width),
                "pairs": _table(_PAIRS, width),
                "letters": Letters(encoder.tokenizer, width),
            }
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(config.dropout)
        )
        self.head = nn.Linear(3 * width, category_count())

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [rows, categories] for int64 [rows, length] ids and mask."""
        vectors, present = [self._of_pieces(input_ids)], [attention_mask]
        for distance in _DISTANCES:
            vectors.append(self.tables["pairs"](_rows_of_pairs(input_ids, distance)))
            present.append(attention_mask[:, distance:])
        weight = torch.cat(present, dim=1).to(self.norm.weight.dtype)
        if self.training:
            weight = weight * (torch.rand_like(weight) >= _LEFT_OUT)
        summed = torch.matmul(weight.unsqueeze(1), torch.cat(vectors, dim=1)).squeeze(1)
        pooled = self.norm(summed)
        logits: Tensor = self.head(torch.cat([self.dropout(pooled), self.hidden(pooled)], dim=1))
        return logits

    def served(self) -> nn.Module:
        """Return what computes the same without the letters: the pieces' own vectors hold them."""
        module = copy.deepcopy(self)
        pieces = cast("nn.Embedding", module.tables["pieces"]).weight
        with torch.no_grad():
            pieces += module.tables["letters"](torch.arange(len(pieces), device=pieces.device))
        del module.tables["letters"]
        return module

    def _of_pieces(self, ids: Tensor) -> Tensor:
        vectors: Tensor
        if "letters" not in self.tables:
            vectors = self.tables["pieces"](ids)
            return vectors
        distinct, where = torch.unique(ids, return_inverse=True)
        vectors = self.tables["pieces"](distinct) + self.tables["letters"](distinct)
        return vectors[where]


def build_static(encoder: Encoder, config: TrainConfig) -> nn.Module:
    """Make the module. Of the base it takes the vocabulary alone."""
    return StaticClassifier(encoder, config)


def _table(rows: int, width: int, padding: int | None = None) -> nn.Embedding:
    table = nn.Embedding(rows, width, padding_idx=padding)
    with torch.no_grad():
        table.weight.normal_(std=_DEVIATION)
        if padding is not None:
            table.weight[padding] = 0
    return table


def _rows_of_pairs(ids: Tensor, distance: int) -> Tensor:
    """Return the row of each piece and the one so far behind it, int64 [rows, length - distance]."""
    mixed = ids[:, :-distance] * _FIRST + ids[:, distance:] * _SECOND + distance * _APART
    return mixed % _PAIRS


def _grams(piece: str) -> Iterator[int]:
    """Yield the rows of a piece's letter n-grams; a word's begin and end are letters of their own."""
    if piece in SPECIALS:
        return
    inner = piece.startswith(_CONTINUES)
    marked = f"{'' if inner else '<'}{piece.removeprefix(_CONTINUES)}>"
    for length in _GRAMS:
        for start in range(len(marked) - length + 1):
            yield 1 + _hash(marked[start : start + length]) % (_LETTERS - 1)


def _hash(text: str) -> int:
    """FNV-1a: the same in every process, as Python's own is not."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % (1 << 32)
    return value
