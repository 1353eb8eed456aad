"""Words of labelled texts: which ones tell a category, and which categories are mixed up by them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.intervals import wilson
from stream.text import normalize

_WORD: Final = re.compile(r"[^\W_]+")
# So much of the whole's counts is added to each category's: of 500 words' worth.
_PRIOR_WORDS: Final = 500.0
_LEAST_TEXTS: Final = 3
# Two words side by side, and single ones of at least three letters.
_SHORTEST: Final = 3
# Counts of words by category; 200 MB. What stands in one text alone tells nothing of another.
_MOST_CELLS: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class TellingWord:
    """A word, or two in a row, that speaks for a category.

    Attributes:
        words: as normalised texts write them.
        texts: of the category that hold it.
        share: of all texts that hold it, those of the category.
        least_share: the least that this share may be among texts to come (95%, Wilson): of three texts in
            three it is not much.
        z: how surely it is more frequent there than elsewhere, in standard deviations.
    """

    words: str
    texts: int
    share: float
    least_share: float
    z: float


@dataclass(frozen=True, slots=True)
class MixedUp:
    """Two categories that a model of words confuses.

    Attributes:
        one: id of a category.
        other: id of another.
        texts: of both that it takes for the other.
        share: of both's texts.
    """

    one: int
    other: int
    texts: int
    share: float


class WordCounts:
    """Counts of words by category; a text counts a word once."""

    def __init__(self, texts: Sequence[str], categories: Sequence[int], count: int) -> None:
        """Count.

        Args:
            texts: as people wrote them.
            categories: id of each text's category.
            count: how many categories there are.
        """
        self._truth = np.asarray(categories, dtype=np.int64)
        self._texts_of = np.bincount(self._truth, minlength=count).astype(np.float64)
        held = [terms_of(text) for text in texts]
        everywhere = Counter(term for terms in held for term in terms)
        most = max(_MOST_CELLS // count, 1)
        self._terms = [term for term, found in everywhere.most_common(most) if found > 1]
        number = {term: i for i, term in enumerate(self._terms)}
        self._held = [
            np.array([number[t] for t in terms if t in number], dtype=np.int64) for terms in held
        ]
        self._counts = np.zeros((len(number), count), dtype=np.float32)
        for terms_held, category in zip(self._held, self._truth, strict=True):
            self._counts[terms_held, category] += 1

    def telling(self, category: int, most: int = 12) -> list[TellingWord]:
        """Return the words that speak for a category most surely.

        Log-odds with an informative Dirichlet prior (Monroe, Colaresi, Quinn, "Fightin' Words",
        Political Analysis 16, 2008): words that are merely frequent, or merely rare, do not win.
        """
        here = self._counts[:, category]
        everywhere = self._counts.sum(axis=1)
        total = everywhere.sum()
        prior = _PRIOR_WORDS * everywhere / max(total, 1.0)
        mine, rest = here + prior, everywhere - here + prior
        n_mine, n_rest = here.sum() + _PRIOR_WORDS, total - here.sum() + _PRIOR_WORDS
        # Of a handful of texts one word may be all that there is: its odds are no number, and it tells nothing.
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.log(mine / (n_mine - mine)) - np.log(rest / (n_rest - rest))
        z = np.where(here >= _LEAST_TEXTS, log_odds / np.sqrt(1 / mine + 1 / rest), -np.inf)
        best = np.argsort(-z, kind="stable")[:most]
        return [
            TellingWord(
                self._terms[i],
                int(here[i]),
                float(here[i] / everywhere[i]),
                wilson(float(here[i]), float(everywhere[i]))[0],
                float(z[i]),
            )
            for i in best
            if z[i] > 0
        ]

    def guesses(self) -> NDArray[np.int64]:
        """Return what naive Bayes says of each text, int64 [texts], had it not seen that text."""
        out = np.empty(len(self._held), dtype=np.int64)
        sizes = self._counts.sum(axis=0)
        terms = max(len(self._terms), 1)
        for row, held in enumerate(self._held):
            own = self._truth[row]
            counts, size, texts = self._counts[held].copy(), sizes.copy(), self._texts_of.copy()
            counts[:, own] -= 1
            size[own] -= len(held)
            texts[own] -= 1
            scores = np.log(np.maximum(texts, 0.5)) + (
                np.log(counts + _SMOOTHING).sum(axis=0)
                - len(held) * np.log(size + _SMOOTHING * terms)
            )
            out[row] = scores.argmax()
        return out

    def mixed_up(self, guesses: NDArray[np.int64], most: int = 10) -> list[MixedUp]:
        """Return the pairs of categories that are taken for each other most, by share."""
        pairs = Counter(
            (min(t, g), max(t, g))
            for t, g in zip(self._truth.tolist(), guesses.tolist(), strict=True)
            if t != g
        )
        found = [
            MixedUp(a, b, n, n / float(self._texts_of[a] + self._texts_of[b]))
            for (a, b), n in pairs.items()
            if n > 1
        ]
        return sorted(found, key=lambda pair: (-pair.share, pair.one, pair.other))[:most]


_SMOOTHING: Final = 0.05


def terms_of(text: str) -> list[str]:
    """Return a text's words and pairs of words, each once."""
    words = _WORD.findall(normalize(text))
    single: Iterable[str] = (word for word in words if len(word) >= _SHORTEST)
    pairs = (f"{a} {b}" for a, b in pairwise(words))
    return list(dict.fromkeys((*single, *pairs)))
