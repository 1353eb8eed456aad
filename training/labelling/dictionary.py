"""The dictionary labeller: a review's vectors against descriptive dictionaries of the categories.

Each piece of a review (a word, for word vectors) is compared with the facets of every category; what
exceeds the resemblance that any two words of this language have is evidence, weighted by how much
the piece says, and evidence adds up. A review without evidence names no product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from schemas import Category, active_taxonomy, all_categories, category_count
from stream.text import normalize
from training.errors import LabellerUnavailable, RulesError
from training.labelling.embedding import Embedder, NavecEmbedder, Vectors
from training.labelling.votes import Votes
from training.words.part_files import read_part

DICTIONARY: Final = "dictionary.toml"
# Two unrelated Navec words have cosines up to about this.
_BACKGROUND: Final = 0.2
# Evidence that a review without a product gathers by chance: where the two kinds part on training
# reviews. Calibration corrects what this gets wrong.
_NO_PRODUCT: Final = 0.15
# A piece speaks for the category that it resembles most, and hardly for the ones behind it.
_RIVALRY: Final = 15.0
_SHARPNESS: Final = 6.0
_CACHED_PIECES: Final = 100_000
_SHOWN: Final = 3
_SHOWN_CHARS: Final = 30


class Facet(BaseModel):
    """One point of a category: words that occur together in its reviews."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Category
    name: str
    text: str = Field(min_length=3)


class Dictionary(BaseModel):
    """All facets. Every category has at least one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facet: tuple[Facet, ...]


class DictionaryLabeller:
    """Votes for the category that most pieces resemble; abstains where it knows no piece."""

    name = "dictionary"

    def __init__(self, dictionary: Dictionary, embedder: Embedder) -> None:
        self._embedder = embedder
        self._facets = dictionary.facet
        self._categories = np.array([facet.category.id for facet in dictionary.facet])
        self._points = _unit(np.stack([self._point(facet.text) for facet in dictionary.facet]))
        self._cache: dict[str, Vectors | None] = {}

    @classmethod
    def load(cls, path: Path | None = None, embedder: Embedder | None = None) -> DictionaryLabeller:
        """Read a dictionary, the active taxonomy's unless another is named.

        Args:
            path: of the file.
            embedder: Navec's vectors of Russian words unless another is given.

        Raises:
            LabellerUnavailable: the taxonomy has no dictionary, or is not in Russian.
            RulesError: the file is absent or wrong.
            LabellerUnavailable: the word vectors are not installed.
        """
        dictionary = load_dictionary(path)
        if embedder is None and "ru" not in active_taxonomy().languages:
            raise LabellerUnavailable(
                "the dictionary's word vectors are Russian", "set REVIEWS_LABEL__ENCODER"
            )
        return cls(dictionary, embedder or NavecEmbedder())

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        scores = np.zeros((len(texts), category_count()), dtype=np.float32)
        known = np.zeros(len(texts), dtype=np.bool_)
        none = active_taxonomy().none_id
        reasons = []
        cut = [list(dict.fromkeys(self._embedder.pieces(text))) for text in texts]
        self._learn(dict.fromkeys(piece for pieces in cut for piece in pieces))
        for row, pieces in enumerate(cut):
            evidence = [(p, e) for p in pieces if (e := self._cache[p]) is not None]
            known[row] = bool(evidence)
            if evidence:
                scores[row] = np.sum([e for _, e in evidence], axis=0)
            if none is not None:
                scores[row, none] = _NO_PRODUCT
            reasons.append(_reason(evidence, int(scores[row].argmax())))
        exp = np.exp(_SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
        probabilities = exp / exp.sum(axis=1, keepdims=True)
        probabilities[~known] = 0
        return Votes(probabilities.astype(np.float32), tuple(reasons))

    def _point(self, text: str) -> Vectors:
        point: Vectors = self._embedder.embed(self._embedder.pieces(normalize(text))).sum(axis=0)
        return point

    def _learn(self, pieces: Iterable[str]) -> None:
        """Work out the evidence of pieces not seen before."""
        if len(self._cache) > _CACHED_PIECES:
            self._cache.clear()
        new = [piece for piece in pieces if piece not in self._cache]
        if not new:
            return
        vectors = self._embedder.embed(new)
        says = np.linalg.norm(vectors, axis=1)
        cosines = _unit(vectors) @ self._points.T
        best = np.stack(
            [
                cosines[:, self._categories == c].max(axis=1, initial=-1.0)
                for c in range(category_count())
            ],
            axis=1,
        )
        none = active_taxonomy().none_id
        kinds = [c for c in range(category_count()) if c != none]
        lead = np.exp(_RIVALRY * (best - best[:, kinds].max(axis=1, keepdims=True)))
        evidence = np.maximum(best - _BACKGROUND, 0) * lead * says[:, None]
        if none is not None:
            evidence[:, none] = 0
        for piece, row, weight in zip(new, evidence, says, strict=True):
            self._cache[piece] = row.astype(np.float32) if weight else None


def _reason(evidence: Sequence[tuple[str, Vectors]], choice: int) -> str:
    if not evidence:
        return "no word with a vector"
    if choice == active_taxonomy().none_id:
        return "no word resembles a product"
    nearest = sorted(evidence, key=lambda item: -item[1][choice])[:_SHOWN]
    words = ", ".join(piece[:_SHOWN_CHARS] for piece, e in nearest if e[choice] > 0)
    return f"resembles {all_categories()[choice].info.name('en')}: {words}"


def load_dictionary(path: Path | None = None) -> Dictionary:
    """Read and check a dictionary file, the active taxonomy's unless another is named.

    Raises:
        LabellerUnavailable: the taxonomy has no dictionary.
        RulesError: absent, not TOML, of the wrong shape, or a category has no facet.
    """
    path = path or active_taxonomy().part(DICTIONARY)
    if path is None:
        raise LabellerUnavailable(
            f"the taxonomy {active_taxonomy().name!r} has no {DICTIONARY}",
            "write one facet a category, as in the bundled taxonomy",
        )
    dictionary = read_part(
        path, Dictionary, absent="name a dictionary", wrong="see the bundled one"
    )
    absent = {c.slug for c in all_categories()} - {
        facet.category.slug for facet in dictionary.facet
    }
    if absent:
        raise RulesError(f"{path} has no facet for {', '.join(sorted(absent))}", "add one each")
    return dictionary


def _unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit
