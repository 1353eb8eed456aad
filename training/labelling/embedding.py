"""Texts as vectors: who can make them, and the offline default.

The default needs nothing but the ``natasha`` wheel: Navec word vectors (300 d, Russian news) with
smooth inverse frequency weights (Arora et al., "A Simple but Tough-to-Beat Baseline for Sentence
Embeddings", ICLR 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from training.encoders.checkpoints import local_checkpoint
from training.errors import LabellerUnavailable
from training.words.morphology import WORD, analyse
from training.words.navec import bundled_navec

Vectors = NDArray[np.float32]

# The paper's a; its results are flat between 1e-4 and 1e-3.
_SIF_A: Final = 3e-4
# Navec was counted on a corpus of this many tokens.
_CORPUS_TOKENS: Final = 1e9
_BATCH: Final = 64


class Embedder(Protocol):
    """Anything that turns pieces of texts into vectors."""

    def pieces(self, text: str) -> list[str]:
        """Cut a text into the parts that get a vector each: words, or the text as a whole."""

    def embed(self, pieces: Sequence[str]) -> Vectors:
        """Return float32 [pieces, width].

        A vector's length, 0 to 1, is how much its piece says; zero where it is not known.
        """


class NavecEmbedder:
    """Navec word vectors, as long as the word is rare (SIF)."""

    def __init__(self, path: Path | None = None) -> None:
        self._navec = _load_navec(path or bundled_navec())
        self._width = int(self._navec.pq.dim)
        self._with_yo = {w.replace("ё", "е"): w for w in self._navec.vocab.words if "ё" in w}

    def pieces(self, text: str) -> list[str]:
        """Return the words of a text."""
        return WORD.findall(text)

    def embed(self, pieces: Sequence[str]) -> Vectors:
        """Return float32 [words, 300]; zeros for a word that Navec does not know."""
        vectors = np.zeros((len(pieces), self._width), dtype=np.float32)
        for row, word in enumerate(pieces):
            entry = self._entry(word)
            if entry is not None:
                vector = np.asarray(self._navec[entry], dtype=np.float32)
                share = self._navec.vocab.counts[self._navec.vocab[entry]] / _CORPUS_TOKENS
                vectors[row] = vector / np.linalg.norm(vector) * (_SIF_A / (_SIF_A + share))
        return vectors

    def _entry(self, word: str) -> str | None:
        if (spelling := self._spelling(word)) is not None or not word.isalpha():
            return spelling
        lemmas = analyse(word).lemmas
        return next(filter(None, map(self._spelling, lemmas)), None)

    def _spelling(self, word: str) -> str | None:
        for spelling in (word, self._with_yo.get(word, word)):
            if spelling in self._navec:
                return spelling
        return None


class TransformerEmbedder:
    """Mean-pooled last hidden states of a transformers encoder (a folder, or a hub's name)."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        import torch  # noqa: PLC0415 - seconds and gigabytes that only this provider needs
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415 - likewise

        folder = local_checkpoint(name)
        self._torch = torch
        self._device = device
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder).eval().to(device)

    def pieces(self, text: str) -> list[str]:
        """Return the text itself: the encoder reads it in one go."""
        return [text]

    def embed(self, pieces: Sequence[str]) -> Vectors:
        """Return unit float32 [texts, width]."""
        texts = pieces
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rows = [
            self._embed_batch([texts[i] for i in order[start : start + _BATCH]])
            for start in range(0, len(order), _BATCH)
        ]
        vectors = np.concatenate(rows) if rows else np.zeros((0, 1), dtype=np.float32)
        out = np.empty_like(vectors)
        out[order] = vectors
        return out

    def _embed_batch(self, texts: list[str]) -> Vectors:
        torch = self._torch
        batch = self._tokenizer(
            texts, padding=True, truncation=True, max_length=128, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        unit = torch.nn.functional.normalize(mean, dim=1)
        return np.asarray(unit.cpu().numpy(), dtype=np.float32)


def _load_navec(path: Path) -> Any:
    from navec import Navec  # noqa: PLC0415 - comes with natasha, an optional package

    try:
        return Navec.load(str(path))
    except OSError as error:
        raise LabellerUnavailable(f"{path} cannot be read: {error.strerror}") from None
