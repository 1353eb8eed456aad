"""The second blessing: it loads, computes what it should, and is neither too slow nor too large."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.folder import graph_bytes
from stream.settings import GateSettings, ModelSettings
from stream.text import normalize
from training.gate.verdict import Check, Speed

# Enough texts for a few batches, and enough rounds that one of them is left in peace.
_TIMED_TEXTS: Final = 256
_ROUNDS: Final = 9
# 20 thousand reviews a second: from here on the rest of the pipeline is what takes the time.
_FAST_ENOUGH_MS: Final = 0.05
# Dynamic int8 takes its scale from the whole batch: a few close calls may fall the other way.
_SAME_ALONE: Final = 0.97
_ALONE_TEXTS: Final = 64
# What a stream sends sooner or later.
_ODD: Final = ("а", "👍👍👍", "!!!", "ок " * 3000, "нет\u200bпробелов" * 200, "plain english words")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, where it lies, and how long its very first batch took."""

    model: Classifier
    folder: Path
    warm_up_ms: float


def load(folder: Path, settings: ModelSettings, texts: Sequence[str]) -> tuple[Loaded, Check]:
    """Load a model as a worker does: digests, self-test, first batch.

    Raises:
        ModelError: it cannot be loaded; :func:`not_loaded` makes a check of it.
    """
    model = Classifier.load(folder, settings.device, settings.threads, settings.chunk_tokens)
    started = time.perf_counter()
    model.classify(list(texts[:_TIMED_TEXTS]))
    warm_up = (time.perf_counter() - started) * 1000
    cases = len(model.manifest.self_test)
    found = f"{cases} stored answers repeated, first batch in {warm_up:.0f} ms"
    return Loaded(model, folder, warm_up), _check("loads", True, found, "a passed self-test")


def not_loaded(error: ModelError) -> Check:
    """Return the check that failed because the model cannot be loaded."""
    return _check("loads", False, error.message, "a sound model folder")


def infrastructure_checks(
    candidate: Loaded, serving: Loaded | None, texts: Sequence[str], rules: GateSettings
) -> tuple[Speed, list[Check]]:
    """Judge behaviour, speed and size."""
    checks = [*_odd_texts(candidate.model), *_alone_and_together(candidate.model, texts)]
    speed = measure_speed(candidate, serving, texts)
    return speed, [*checks, *budget_checks(speed, rules)]


def budget_checks(speed: Speed, rules: GateSettings) -> Iterator[Check]:
    """Hold the candidate's time and size against the serving model's; without one, against nothing."""
    if speed.serving_ms is None or speed.serving_bytes is None:
        return
    slower = speed.candidate_ms / speed.serving_ms
    yield _check(
        "speed",
        slower <= rules.slower or speed.candidate_ms <= _FAST_ENOUGH_MS,
        f"{speed.candidate_ms:.3f} ms a review, {slower:.2f} times the serving model's",
        f"at most {rules.slower:g} times",
    )
    larger = speed.candidate_bytes / speed.serving_bytes
    yield _check(
        "size",
        larger <= rules.larger,
        f"{speed.candidate_bytes / 1e6:.2f} MB, {larger:.2f} times the serving model's",
        f"at most {rules.larger:g} times",
    )


def measure_speed(candidate: Loaded, serving: Loaded | None, texts: Sequence[str]) -> Speed:
    """Time both models on the same texts in turns, so that both meet the same neighbours."""
    sample = list(texts[:_TIMED_TEXTS])
    models = [m for m in (candidate, serving) if m is not None]
    seconds: list[list[float]] = [[] for _ in models]
    for _ in range(_ROUNDS):
        for model, taken in zip(models, seconds, strict=True):
            started = time.perf_counter()
            model.model.classify(sample)
            taken.append(time.perf_counter() - started)
    # The quickest round: whatever made the others slower was not the model.
    ms = [min(taken) * 1000 / len(sample) for taken in seconds]
    sizes = [graph_bytes(model.folder, model.model.manifest) for model in models]
    return Speed(
        candidate_ms=ms[0],
        serving_ms=None if serving is None else ms[1],
        candidate_bytes=sizes[0],
        serving_bytes=None if serving is None else sizes[1],
        warm_up_ms=candidate.warm_up_ms,
    )


def _odd_texts(model: Classifier) -> Iterator[Check]:
    said = model.classify([normalize(text) for text in _ODD]).probabilities
    sound = bool(np.isfinite(said).all() and np.allclose(said.sum(axis=1), 1.0, atol=1e-3))
    found = "probabilities" if sound else "answers that are no probabilities"
    yield _check("odd texts", sound, f"{found} for {len(_ODD)} odd texts", "probabilities")


def _alone_and_together(model: Classifier, texts: Sequence[str]) -> Iterator[Check]:
    """Padding must not change what is said of a text."""
    sample = list(texts[:_ALONE_TEXTS])
    together = model.classify(sample).probabilities.argmax(axis=1)
    alone = [int(model.classify([text]).probabilities.argmax()) for text in sample]
    same = float((together == np.array(alone)).mean())
    yield _check(
        "alone as in a batch",
        same >= _SAME_ALONE,
        f"the same category for {same:.1%} of {len(sample)} texts",
        f"at least {_SAME_ALONE:.0%}",
    )


def _check(name: str, passed: bool, found: str, wanted: str) -> Check:
    return Check(
        blessing="infrastructure", name=name, passed=bool(passed), found=found, wanted=wanted
    )
