"""The classifier: texts in, calibrated probabilities out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from schemas import active_taxonomy, category_count
from stream.errors import ModelError
from stream.model.chunking import plan_chunks
from stream.model.decision import DecisionRule
from stream.model.folder import TOKENIZER, Manifest, read_manifest, verify
from stream.model.inference import Device, Graph, open_graph
from stream.model.strange_text import StrangeText, letters_a_piece

# int8 kernels differ between processors (VNNI or not): logits move by a few hundredths.
SELF_TEST_TOLERANCE: Final = 0.5
# A lead this small decides nothing: the cut of a batch into calls moves int8 logits as much.
SELF_TEST_TIE: Final = 0.05
# Word pieces of one call, by device. With the 3-layer model on two cores 512 are 6%
# faster than 1024, and 2% slower than 256.
CALL_TOKENS: Final = {"cpu": 512, "cuda": 2048}
# A small batch is spread over the cores as well, unless its calls would be smaller than this.
LEAST_CALL_TOKENS: Final = 128


@dataclass(frozen=True, slots=True)
class Tokens:
    """Word pieces of some texts."""

    ids: list[list[int]]
    unknown: list[int]
    """Word pieces that are not in the vocabulary, by text."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of some texts, before anything is decided."""

    probabilities: NDArray[np.float32]
    """Calibrated, float32 [rows, categories]."""
    tokens: list[int]
    """Word pieces by row, specials included."""
    unknown: list[int]
    tokenize_seconds: float
    inference_seconds: float
    padded_tokens: int
    """Word pieces that the model computed, padding included."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the model says of some texts, and whether that is enough to publish them."""

    scores: Scores
    sure: NDArray[np.bool_]
    """Whether the best category may be published, bool [rows]. A strange text's never may."""
    strange: dict[int, str]
    """By row, what is strange about a text that the model would have been sure of."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Calibrated, float32 [rows, categories]."""
        return self.scores.probabilities


class Classifier:
    """A loaded, verified and self-tested model. Thread-safe; calls share its threads.

    Args:
        manifest: of the model folder.
        tokenizer: of the model folder.
        graph: runs the model.
        chunk_tokens: most word pieces, padding included, of one call of the graph; 0 for what suits
            its device.
    """

    def __init__(
        self, manifest: Manifest, tokenizer: Tokenizer, graph: Graph, chunk_tokens: int
    ) -> None:
        self.manifest = manifest
        self.rule = DecisionRule.of(manifest)
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(manifest.max_length)
        self._graph = graph
        self._chunk_tokens = chunk_tokens or CALL_TOKENS[graph.device]
        self._specials = tokenizer.num_special_tokens_to_add(is_pair=False)
        self._strange = StrangeText(_languages(), self._usual_letters())
        self._parallel_calls = graph.parallel_calls
        self._calls = ThreadPoolExecutor(self._parallel_calls, thread_name_prefix="model")

    @classmethod
    def load(
        cls,
        folder: Path,
        device: Device = "auto",
        threads: int = 0,
        chunk_tokens: int = 0,
        *,
        checked: bool = False,
    ) -> Classifier:
        """Load a model folder, check its digests, and run its self-test.

        Args:
            folder: of the model.
            device: see :func:`~stream.model.inference.open_graph`.
            threads: likewise.
            chunk_tokens: see the class.
            checked: the digests are known to be right; only what is loaded needs to be there.

        Raises:
            ModelError: the folder is absent, damaged, or does not compute what it should.
        """
        try:
            manifest = read_manifest(folder) if checked else verify(folder)
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            graph = open_graph(folder, device, threads, manifest.max_length)
            classifier = cls(manifest, tokenizer, graph, chunk_tokens)
            classifier.self_test()
        except (ModelError, KeyboardInterrupt, SystemExit):
            raise
        # What is in the folder decides what is raised, and by which library: Rust's panics are no
        # Exception even. Whatever it is, the folder cannot serve.
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelError(
                f"{folder} cannot be loaded: {reason}", "restore the folder from the registry"
            ) from error
        return classifier

    @property
    def version(self) -> str:
        """Content digest of the model; part of every cache key."""
        return self.manifest.version

    @property
    def device(self) -> str:
        """Where the model runs: ``cpu`` or ``cuda``."""
        return self._graph.device

    def tokenize(self, normalized: Sequence[str]) -> Tokens:
        """Return word pieces of already normalised texts."""
        encodings = self._tokenizer.encode_batch_fast(list(normalized))
        ids = [encoding.ids for encoding in encodings]
        unknown_id = self.manifest.unknown_id
        return Tokens(ids, [row.count(unknown_id) for row in ids])

    def logits(self, ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], int]:
        """Run the model on rows of word pieces.

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

    def _call_tokens(self, tokens: int) -> int:
        """Return the most word pieces of a call, for a batch of so many."""
        share = -(-tokens // self._parallel_calls)
        return min(self._chunk_tokens, max(share, LEAST_CALL_TOKENS))

    def run_padded(self, ids: Sequence[Sequence[int]]) -> tuple[NDArray[np.float32], int]:
        """Run the model once, on rows padded to the longest: see :meth:`logits`."""
        shape = (len(ids), max(map(len, ids)))
        input_ids = np.full(shape, self.manifest.pad_id, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        for i, row in enumerate(ids):
            input_ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return self._graph.run(input_ids, mask), input_ids.size

    def classify(self, normalized: Sequence[str]) -> Predictions:
        """Classify texts that went through :func:`stream.text.normalize`. Order is kept."""
        scores = self.score(normalized)
        sure = self.rule.sure(scores.probabilities)
        strange = {}
        for row in np.flatnonzero(sure).tolist():
            if (reason := self.strange(normalized[row], scores.tokens[row])) is not None:
                strange[row] = reason
        sure[list(strange)] = False
        return Predictions(scores, sure, strange)

    def score(self, normalized: Sequence[str]) -> Scores:
        """Ask the model as :meth:`classify` does, and decide nothing."""
        started = time.perf_counter()
        tokens = self.tokenize(normalized)
        tokenized = time.perf_counter()
        logits, padded = self.logits(tokens.ids)
        return Scores(
            probabilities=self.rule.probabilities(logits),
            tokens=[len(row) for row in tokens.ids],
            unknown=tokens.unknown,
            tokenize_seconds=tokenized - started,
            inference_seconds=time.perf_counter() - tokenized,
            padded_tokens=padded,
        )

    def strange(self, normalized: str, tokens: int) -> str | None:
        """Return why a text is not to be published, however sure the model is; None: it may be.

        Args:
            normalized: the text.
            tokens: its word pieces, specials included.
        """
        whole = tokens < self.manifest.max_length
        return self._strange.reason(normalized, tokens - self._specials if whole else 0)

    def _usual_letters(self) -> float:
        texts = [case.text for case in self.manifest.self_test]
        pieces = [len(row) - self._specials for row in self.tokenize(texts).ids]
        return letters_a_piece(texts, pieces)

    def self_test(self) -> None:
        """Compare the model with the logits stored in its manifest.

        Raises:
            ModelError: a stored text gets another category, or logits that are too far away; or
                nothing is stored, so that nobody knows what the model should compute.
        """
        cases = self.manifest.self_test
        if not cases:
            raise ModelError(
                f"model {self.version} has no self-test: its manifest holds no stored answers",
                "export the model again with `reviews train`",
            )
        logits, _ = self.logits(self.tokenize([case.text for case in cases]).ids)
        stored = np.asarray([case.logits for case in cases], dtype=np.float32)
        worst = float(np.abs(logits - stored).max())
        chosen = logits.argmax(axis=1)
        leads = stored.max(axis=1) - stored[np.arange(len(stored)), chosen]
        same = bool((leads <= SELF_TEST_TIE).all())
        if not same or not worst <= SELF_TEST_TOLERANCE:
            raise ModelError(
                f"model {self.version} fails its self-test: logits are off by {worst:.3f}"
                + ("" if same else " and a category differs"),
                "restore the folder from the registry, or export the model again",
            )


def _languages() -> tuple[str, ...]:
    """Return the languages that the taxonomy names itself; none are assumed of texts in any script."""
    taxonomy = active_taxonomy()
    return taxonomy.languages if "languages" in taxonomy.model_fields_set else ()
