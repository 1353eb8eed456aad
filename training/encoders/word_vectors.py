"""Word vectors laid under a vocabulary: knowledge of words that the reviews hardly hold.

Navec (300 numbers a word, from a billion words of Russian news, in the ``natasha`` wheel) knows that
"чайник" and "кофеварка" are alike. A piece that is a word gets the word's vector; any other piece the
mean over the words that it occurs in, so that endings and stems start out meaning something too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.encoders.encoder import SPECIALS
from training.words.morphology import plain
from training.words.navec import bundled_navec

Vectors = NDArray[np.float32]

# BERT starts from a deviation of 0.02; vectors that mean something may speak a little louder.
_DEVIATION: Final = 0.04
# Rarer words of the news are names and misprints.
_LEAST_COUNT: Final = 150
# "сковородка" is not in Navec, "сковорода" is: what differs in so many last letters is kin.
_ENDINGS: Final = (1, 2, 3, 4)
_LEAST_STEM: Final = 5


class WordVectors:
    """Words and their vectors, in the spelling of :func:`stream.text.normalize`."""

    def __init__(self, words: Sequence[str], vectors: Vectors, counts: NDArray[np.int64]) -> None:
        self.words, self.vectors, self.counts = list(words), vectors, counts

    @classmethod
    def navec(cls) -> WordVectors:
        """Load the bundled vectors: 250 thousand words, inflected forms among them.

        Raises:
            LabellerUnavailable: the package is there without its vectors.
        """
        from navec import Navec  # noqa: PLC0415 - comes with natasha

        navec: Any = Navec.load(str(bundled_navec()))
        counts = np.asarray(navec.vocab.counts, dtype=np.int64)
        # The last two entries are marks, not words.
        rows = np.flatnonzero(counts[: len(navec.vocab.words) - 2] >= _LEAST_COUNT)
        codes, indexes = np.asarray(navec.pq.codes), np.asarray(navec.pq.indexes)[rows]
        parts = codes[np.arange(codes.shape[0]), indexes]
        vectors = parts.reshape(len(rows), -1).astype(np.float32)
        return cls([plain(navec.vocab.words[row]) for row in rows], vectors, counts[rows])


def piece_vectors(tokenizer: Tokenizer, source: WordVectors, width: int) -> Vectors:
    """Return a starting vector for every piece of a vocabulary.

    Args:
        tokenizer: of word pieces.
        source: word vectors.
        width: numbers a piece; the vectors' principal components if they have more.

    Returns:
        float32 [vocabulary, width]; zeros for pieces of which nothing is known, marks among them.
    """
    vocabulary = tokenizer.get_vocab_size()
    sums = np.zeros((vocabulary, source.vectors.shape[1]), dtype=np.float64)
    totals = np.zeros(vocabulary)
    unit = source.vectors / np.maximum(np.linalg.norm(source.vectors, axis=1, keepdims=True), 1e-9)
    weights = np.log1p(source.counts.astype(np.float64))
    kin = _by_stem(source.words)
    whole: dict[int, int] = {}
    tokenizer.no_padding()
    for row, encoding in enumerate(tokenizer.encode_batch(source.words, add_special_tokens=False)):
        if len(encoding.ids) == 1:
            whole.setdefault(encoding.ids[0], row)
        share = weights[row] / len(encoding.ids) ** 2 if encoding.ids else 0.0
        for number in encoding.ids:
            sums[number] += share * unit[row]
            totals[number] += share
    means = sums / np.maximum(totals, 1e-9)[:, None]
    for number, row in whole.items():
        means[number] = unit[row]
    for piece, number in tokenizer.get_vocab().items():
        if piece in SPECIALS:
            means[number] = 0.0
        elif not totals[number] and piece.isalpha():
            means[number] = _kin(piece, kin, unit)
    return _principal(means, width)


def _by_stem(words: Sequence[str]) -> dict[str, list[int]]:
    """Group the rows of words by what is left without their last one to four letters."""
    groups: dict[str, list[int]] = {}
    for row, word in enumerate(words):
        for cut in _ENDINGS:
            if len(word) - cut >= _LEAST_STEM:
                groups.setdefault(word[: len(word) - cut], []).append(row)
    return groups


def _kin(word: str, groups: dict[str, list[int]], unit: Vectors) -> NDArray[np.float64]:
    """Return the mean vector of the words that differ from this one in their ending at most."""
    for cut in _ENDINGS:
        stem = word[: len(word) - cut]
        if len(stem) >= _LEAST_STEM and stem in groups:
            return np.asarray(unit[groups[stem]].mean(axis=0), dtype=np.float64)
    return np.zeros(unit.shape[1])


def _principal(vectors: NDArray[np.float64], width: int) -> Vectors:
    """Project on the principal components, and scale to the deviation that BERT starts from."""
    known = np.abs(vectors).sum(axis=1) > 0
    mean = vectors[known].mean(axis=0) if known.any() else np.zeros(vectors.shape[1])
    centred = np.where(known[:, None], vectors - mean, 0.0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-values)[: min(width, len(values))]
    # The sign of a direction is arbitrary: fix it, so that the result does not hang on the library.
    directions = directions[:, order]
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(len(order))])
    out = np.zeros((len(vectors), width), dtype=np.float32)
    out[:, : len(order)] = centred @ directions
    deviation = out[known].std() if known.any() else 1.0
    return np.asarray(out * (_DEVIATION / max(deviation, 1e-9)), dtype=np.float32)
