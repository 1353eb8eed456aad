"""A stage of a model: one tokenizer and one graph. Texts in, logits out, and nothing decided."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas import category_count
from stream.model.chunking import plan_chunks
from stream.model.inference import Graph
from stream.model.known_words import KnownWords, cuts_word_by_word

# Word pieces of one call, by device. With the 3-layer model on two cores 512 are 6%
# faster than 1024, and 2% slower than 256.
CALL_TOKENS: Final = {"cpu": 512, "cuda": 2048}
# A small batch is spread over the cores as well, unless its calls would be smaller than this.
LEAST_CALL_TOKENS: Final = 128


class WordPieces(Protocol):
    """How a stage reads its word pieces: a part of what its manifest says."""

    @property
    def max_length(self) -> int:
        """Most word pieces of a text, specials included."""
        ...

    @property
    def pad_id(self) -> int:
        """Stands behind the pieces of a shorter text."""
        ...

    @property
    def unknown_id(self) -> int:
        """Stands for what is not in the vocabulary."""
        ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """Word pieces of some texts."""

    ids: list[list[int]]
    unknown: list[int]
    """Word pieces that are not in the vocabulary, by text."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What inference gives for some texts."""

    logits: NDArray[np.float32]
    """float32 [rows, categories]."""
    by_first: NDArray[np.bool_]
    """Which rows the first stage of a cascade decided, bool [rows]; without one, none."""
    tokens: list[int]
    """Word pieces by row, specials included, as the stage cuts them that every text goes through."""
    unknown: list[int]
    """Of those, the ones that are not in its vocabulary."""
    tokenize_seconds: float
    inference_seconds: float
    padded_tokens: int
    """Word pieces that were computed, padding included."""


class Stage:
    """A tokenizer and a graph. Thread-safe; calls share its threads.

    Args:
        tokenizer: of the model folder.
        graph: runs the model.
        pieces: how long texts may be, and which pieces are special.
        chunk_tokens: most word pieces, padding included, of one call of the graph; 0 for what suits
            its device.
    """

    def __init__(
        self, tokenizer: Tokenizer, graph: Graph, pieces: WordPieces, chunk_tokens: int
    ) -> None:
        self.max_length = pieces.max_length
        self.device = graph.device
        """Where it runs: ``cpu`` or ``cuda``."""
        self.specials = tokenizer.num_special_tokens_to_add(is_pair=False)
        """Word pieces that every text gets besides its own."""
        self._pieces = pieces
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._words = None
        if cuts_word_by_word(tokenizer):
            self._tokenizer.no_truncation()
            self._words = KnownWords(tokenizer, pieces.max_length)
        else:
            self._tokenizer.enable_truncation(pieces.max_length)
        self._graph = graph
        self._chunk_tokens = chunk_tokens or CALL_TOKENS[graph.device]
        self._parallel_calls = graph.parallel_calls
        self._calls = ThreadPoolExecutor(self._parallel_calls, thread_name_prefix="model")

    @property
    def entry(self) -> Stage:
        """The stage that every text goes through."""
        return self

    @property
    def last(self) -> Stage:
        """The stage that no other one follows."""
        return self

    def infer(self, normalized: Sequence[str]) -> Inference:
        """Return what the model says of already normalised texts, in their order."""
        started = time.perf_counter()
        tokens = self.tokenize(normalized)
        tokenized = time.perf_counter()
        logits, padded = self.logits(tokens.ids)
        return Inference(
            logits,
            np.zeros(len(logits), dtype=np.bool_),
            [len(row) for row in tokens.ids],
            tokens.unknown,
            tokenized - started,
            time.perf_counter() - tokenized,
            padded,
        )

    def tokenize(self, normalized: Sequence[str]) -> Tokens:
        """Return word pieces of already normalised texts."""
        if self._words is not None:
            ids = self._words.cut(normalized)
        else:
            ids = [row.ids for row in self._tokenizer.encode_batch_fast(list(normalized))]
        unknown_id = self._pieces.unknown_id
        return Tokens(ids, [row.count(unknown_id) for row in ids])

    def logits(self, ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], int]:
        """Run the graph on rows of word pieces.

        Returns:
            Logits float32 [rows, categories] in the order of the rows, and how many word pieces were
            computed, padding included.
        """
        lengths = [len(row) for row in ids]
        logits = np.empty((len(ids), category_count()), dtype=np.float32)
        padded = 0
        chunks = plan_chunks(lengths, self._call_tokens(sum(lengths)))
        run = map if len(chunks) == 1 else self._calls.map
        answers = run(self.run_padded, ([ids[row] for row in rows] for rows in chunks))
        for rows, (values, computed) in zip(chunks, answers, strict=True):
            logits[rows] = values
            padded += computed
        return logits, padded

    def run_padded(self, ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], int]:
        """Run the graph once, on rows padded to the longest: see :meth:`logits`."""
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        real = np.arange(lengths.max()) < lengths[:, None]
        input_ids = np.full(real.shape, self._pieces.pad_id, dtype=np.int64)
        input_ids[real] = np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum()))
        return self._graph.run(input_ids, real.astype(np.int64)), input_ids.size

    def _call_tokens(self, tokens: int) -> int:
        """Return the most word pieces of a call, for a batch of so many."""
        share = -(-tokens // self._parallel_calls)
        return min(self._chunk_tokens, max(share, LEAST_CALL_TOKENS))
