"""What is normal for a model, and how far a window is from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from schemas import all_categories
from stream.model.folder import MANIFEST, Manifest
from stream.monitor.bucket import Bucket
from stream.monitor.drift import jensen_shannon, psi, psi_beyond_chance

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WindowReference:
    """What a window is compared with.

    Attributes:
        origin: ``model``: written into the model's folder when it was validated; ``baseline``: the
            first reviews that it answered here.
        mix: share or count by category.
        confidence: share or count in 20 equal bins of 0 to 1.
        unknown_share: of word pieces; None: not known.
    """

    origin: Literal["model", "baseline"]
    mix: tuple[float, ...]
    confidence: tuple[float, ...]
    unknown_share: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a window is from what is normal; None where that cannot be said.

    Attributes:
        mix_psi: of the categories, beyond what chance brings about among many.
        mix_js: of the categories, bits.
        confidence_psi: of the confidence.
    """

    mix_psi: float | None = None
    mix_js: float | None = None
    confidence_psi: float | None = None


class References:
    """Finds what is normal for each model version.

    Args:
        baseline: returns the first reviews that a model answered.
        enough: reviews from which on a baseline is one.
    """

    def __init__(self, baseline: Callable[[str], Bucket], enough: int) -> None:
        self._baseline = baseline
        self._enough = enough
        self._of_models: dict[str, WindowReference] = {}
        self._promised: dict[str, float] = {}

    @property
    def known_promises(self) -> int:
        """Models whose promise is known."""
        return len(self._promised)

    def promised(self, version: str) -> float | None:
        """Return the precision that was asked of a model's published reviews; None: nobody knows."""
        return self._promised.get(version)

    def learn(self, folder: Path) -> None:
        """Take over what a model's folder says of itself; one that cannot be read says nothing."""
        try:
            self.take(Manifest.model_validate_json((folder / MANIFEST).read_bytes()))
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            _log.info("no_reference", folder=str(folder), error=type(error).__name__)

    def take(self, manifest: Manifest) -> None:
        """Take over what a model says of itself."""
        if manifest.asked_precision:
            self._promised[manifest.version] = manifest.asked_precision
        given = manifest.reference
        mix = tuple(given.category_share.get(category, 0.0) for category in all_categories())
        if sum(mix) > 0 and sum(given.confidence_histogram) > 0:
            confidence = tuple(given.confidence_histogram)
            share = given.unknown_token_share or None
            self._of_models[manifest.version] = WindowReference("model", mix, confidence, share)

    def of(self, version: str | None) -> WindowReference | None:
        """Return what is normal for a model; None: nobody knows yet."""
        if version is None:
            return None
        if version in self._of_models:
            return self._of_models[version]
        first = self._baseline(version)
        if first.classified < self._enough:
            return None
        mix, confidence = tuple(map(float, first.mix())), tuple(map(float, first.histogram))
        return WindowReference("baseline", mix, confidence, first.unknown_share)

    def drift(self, window: Bucket) -> Drift:
        """Compare a window with what is normal for the model that answered most of it."""
        reference = self.of(window.model)
        if reference is None or not window.classified:
            return Drift()
        return Drift(
            mix_psi=psi_beyond_chance(reference.mix, window.mix()),
            mix_js=jensen_shannon(reference.mix, window.mix()),
            confidence_psi=psi(reference.confidence, window.histogram),
        )
