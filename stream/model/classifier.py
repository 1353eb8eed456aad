"""The classifier: texts in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas import active_taxonomy
from stream.errors import ModelError
from stream.model.cascade import ModelCascade, open_stages
from stream.model.decision import DecisionRule
from stream.model.folder import Manifest, SelfTest, read_manifest, verify
from stream.model.inference import Device
from stream.model.stage import Inference, Stage
from stream.model.strange_text import StrangeText, letters_a_piece

# int8 kernels differ between processors (VNNI or not): logits move by a few hundredths.
SELF_TEST_TOLERANCE: Final = 0.5
# A lead this small decides nothing: the cut of a batch into calls moves int8 logits as much.
SELF_TEST_TIE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of some texts, before anything is decided."""

    probabilities: NDArray[np.float32]
    """Calibrated, float32 [rows, categories]."""
    inference: Inference
    """What they were calibrated from, and what it took."""


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
    """A loaded, verified and self-tested model, of one stage or two. Thread-safe.

    Args:
        manifest: of the model folder.
        stages: what it computes with.
    """

    def __init__(self, manifest: Manifest, stages: Stage | ModelCascade) -> None:
        self.manifest = manifest
        self.rule = DecisionRule.of(manifest)
        self._stages = stages
        self._strange = StrangeText(_languages(), self._usual_letters())

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
            chunk_tokens: see :class:`~stream.model.stage.Stage`.
            checked: the digests are known to be right; only what is loaded needs to be there.

        Raises:
            ModelError: the folder is absent, damaged, or does not compute what it should.
        """
        try:
            manifest = read_manifest(folder) if checked else verify(folder)
            stages = open_stages(folder, manifest, device, threads, chunk_tokens)
            classifier = cls(manifest, stages)
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
        """Where the model runs, the last stage of a cascade: ``cpu`` or ``cuda``."""
        return self.last.device

    @property
    def entry(self) -> Stage:
        """The stage that every text goes through."""
        return self._stages.entry

    @property
    def last(self) -> Stage:
        """The stage that no other one follows; without a cascade the same."""
        return self._stages.last

    @property
    def cascaded(self) -> bool:
        """Whether there are two stages."""
        return self.entry is not self.last

    def classify(self, normalized: Sequence[str]) -> Predictions:
        """Classify texts that went through :func:`stream.text.normalize`. Order is kept."""
        scores = self.score(normalized)
        tokens = scores.inference.tokens
        sure = self.rule.sure(scores.probabilities)
        strange = {}
        for row in np.flatnonzero(sure).tolist():
            if (reason := self.strange(normalized[row], tokens[row])) is not None:
                strange[row] = reason
        sure[list(strange)] = False
        return Predictions(scores, sure, strange)

    def score(self, normalized: Sequence[str]) -> Scores:
        """Ask the model as :meth:`classify` does, and decide nothing."""
        found = self.infer(normalized)
        return Scores(self.rule.probabilities(found.logits), found)

    def infer(self, normalized: Sequence[str]) -> Inference:
        """Return the model's logits of normalised texts, before they are calibrated."""
        return self._stages.infer(normalized)

    def strange(self, normalized: str, tokens: int) -> str | None:
        """Return why a text is not to be published, however sure the model is; None: it may be.

        Args:
            normalized: the text.
            tokens: its word pieces, specials included, as :class:`~stream.model.stage.Inference` has them.
        """
        entry = self.entry
        whole = tokens < entry.max_length
        return self._strange.reason(normalized, tokens - entry.specials if whole else 0)

    def _usual_letters(self) -> float:
        texts = [case.text for case in self.manifest.self_test]
        entry = self.entry
        pieces = [len(row) - entry.specials for row in entry.tokenize(texts).ids]
        return letters_a_piece(texts, pieces)

    def self_test(self) -> None:
        """Compare each stage with the logits stored in the manifest.

        Raises:
            ModelError: a stored text gets another category, or logits that are too far away; or
                nothing is stored, so that nobody knows what the model should compute.
        """
        _compare(f"model {self.version}", self.last, self.manifest.self_test)
        if (first := self.manifest.first_stage) is not None:
            name = f"the first stage of model {self.version}"
            _compare(name, self.entry, first.self_test)


def _compare(name: str, stage: Stage, cases: Sequence[SelfTest]) -> None:
    if not cases:
        raise ModelError(
            f"{name} has no self-test: its manifest holds no stored answers",
            "export the model again with `reviews train`",
        )
    logits = stage.infer([case.text for case in cases]).logits
    stored = np.asarray([case.logits for case in cases], dtype=np.float32)
    worst = float(np.abs(logits - stored).max())
    chosen = logits.argmax(axis=1)
    leads = stored.max(axis=1) - stored[np.arange(len(stored)), chosen]
    same = bool((leads <= SELF_TEST_TIE).all())
    if not same or not worst <= SELF_TEST_TOLERANCE:
        raise ModelError(
            f"{name} fails its self-test: logits are off by {worst:.3f}"
            + ("" if same else " and a category differs"),
            "restore the folder from the registry, or export the model again",
        )


def _languages() -> tuple[str, ...]:
    """Return the languages that the taxonomy names itself; none are assumed of texts in any script."""
    taxonomy = active_taxonomy()
    return taxonomy.languages if "languages" in taxonomy.model_fields_set else ()
