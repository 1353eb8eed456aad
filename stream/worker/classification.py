"""From decoded events to predictions: cache first, then the model, poison pills set apart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import structlog

from stream.errors import ModelError
from stream.model.classifier import Classifier, Scores
from stream.worker.cache import CachedPrediction, PredictionCache
from stream.worker.dead_letters import Rejection
from stream.worker.input_event import InputEvent
from stream.worker.metrics import WorkerMetrics
from stream.worker.models import ServedModels
from stream.worker.summary import Timings

Key = tuple[str, str]
"""Model version and text fingerprint."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Prepared:
    """A micro-batch whose cached answers are known.

    Every event names its model, so that a swap waits for the next batch.
    """

    events: list[InputEvent]
    known: dict[Key, CachedPrediction]


@dataclass(slots=True)
class Classified:
    """A finished micro-batch."""

    events: list[InputEvent]
    timings: Timings


@dataclass(slots=True)
class _Answers:
    by_key: dict[Key, CachedPrediction] = field(default_factory=dict)
    poison: dict[Key, str] = field(default_factory=dict)
    tokenize: float = 0.0
    inference: float = 0.0
    padded: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    """Texts of cascades by the stage that decided them."""


class Classification:
    """Two stages, so that Redis is asked for the next batch while the model works on this one."""

    def __init__(
        self, models: ServedModels, cache: PredictionCache, metrics: WorkerMetrics
    ) -> None:
        self._models = models
        self._cache = cache
        self._metrics = metrics
        # Two batches at a time: while one's last calls run, and while the event loop is told of it,
        # the other one keeps the cores busy.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="inference")

    async def prepare(self, events: list[InputEvent]) -> Prepared:
        """Fix each event's model, and look the batch's distinct texts up in the cache."""
        wanted: dict[str, dict[str, None]] = {}
        for event in events:
            if event.review is not None:
                event.model = self._models.choose(event.review.review_id)
                wanted.setdefault(event.model.version, {})[event.fingerprint] = None
        started = time.perf_counter()
        known: dict[Key, CachedPrediction] = {}
        for version, fingerprints in wanted.items():
            found = await self._cache.get(version, list(fingerprints))
            known |= {(version, fingerprint): answer for fingerprint, answer in found.items()}
        self._metrics.stage_seconds.labels("cache").observe(time.perf_counter() - started)
        return Prepared(events, known)

    async def classify(self, prepared: Prepared) -> Classified:
        """Ask the models for what is not known; every event leaves with a prediction or rejection.

        Raises:
            ModelError: a model itself is broken; the batch was not decided.
        """
        started = time.monotonic()
        missing: dict[Classifier, dict[str, str]] = {}
        for event in prepared.events:
            if event.model and not event.stale and _key(event) not in prepared.known:
                missing.setdefault(event.model, {})[event.fingerprint] = event.text
        answers = _Answers()
        loop = asyncio.get_running_loop()
        for model, texts in missing.items():
            await loop.run_in_executor(self._threads, _ask, model, texts, answers)
        _fill_in(prepared, answers)
        self._count(prepared.events, answers)
        timings = Timings(started, answers.tokenize, answers.inference)
        return Classified(prepared.events, timings)

    async def shadow(self, events: Sequence[InputEvent]) -> None:
        """Let the shadow model, if there is one, score what was just decided; count disagreement."""
        shadow = self._models.shadow
        texts = {
            event.fingerprint: event.text
            for event in events
            if event.prediction and not event.cached
        }
        if shadow is None or not texts:
            return
        answers = _Answers()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, _ask, shadow, texts, answers)
        except ModelError as error:  # its answers are never published: the worker goes on without
            _log.error("shadow_dropped", version=shadow.version, reason=str(error))
            self._models.shadow = None
            return
        for event in events:
            other = answers.by_key.get((shadow.version, event.fingerprint))
            if event.prediction is not None and other is not None:
                same = event.prediction.probabilities.argmax() == other.probabilities.argmax()
                self._metrics.shadow.labels("agrees" if same else "differs").inc()

    def close(self) -> None:
        """Let the inference threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count(self, events: Sequence[InputEvent], answers: _Answers) -> None:
        metrics = self._metrics
        metrics.batch_rows.observe(len(events))
        metrics.stage_seconds.labels("tokenize").observe(answers.tokenize)
        metrics.stage_seconds.labels("inference").observe(answers.inference)
        fresh = answers.by_key.values()
        metrics.tokens.inc(sum(prediction.tokens for prediction in fresh))
        metrics.unknown_tokens.inc(sum(prediction.unknown for prediction in fresh))
        metrics.padded_tokens.inc(answers.padded)
        for stage, texts in answers.stages.items():
            metrics.cascade.labels(stage).inc(texts)


def _key(event: InputEvent) -> Key:
    return (event.model.version if event.model else "", event.fingerprint)


def _fill_in(prepared: Prepared, answers: _Answers) -> None:
    decided: dict[Classifier, list[InputEvent]] = {}
    for event in prepared.events:
        if event.model is None or event.stale:
            continue
        key = _key(event)
        known = prepared.known.get(key)
        event.cached = known is not None
        event.prediction = known or answers.by_key.get(key)
        if event.prediction is not None:
            decided.setdefault(event.model, []).append(event)
        else:
            event.rejection = Rejection("inference-failed", answers.poison[key])
    for model, events in decided.items():
        rows = np.stack([event.prediction.probabilities for event in events if event.prediction])
        decisions = (rows.argmax(axis=1), rows.max(axis=1), model.rule.sure(rows))
        columns = (column.tolist() for column in decisions)
        for event, best, confidence, sure in zip(events, *columns, strict=True):
            # float32 rounding may leave a probability a hair above 1.
            event.best, event.confidence, event.sure = best, min(confidence, 1.0), sure
            if sure and event.prediction is not None:
                event.strange = model.strange(event.text, event.prediction.tokens)
                event.sure = event.strange is None


def _ask(classifier: Classifier, texts: dict[str, str], answers: _Answers) -> None:
    """Classify texts by fingerprint; a batch that raises is halved until the guilty stand alone."""
    pending = [list(texts)]
    while pending:
        fingerprints = pending.pop()
        try:
            scores = _score_finite(classifier, [texts[f] for f in fingerprints])
        except Exception as error:  # noqa: BLE001 - whatever inference raises, the batch goes on
            if len(fingerprints) > 1:
                half = len(fingerprints) // 2
                pending += [fingerprints[half:], fingerprints[:half]]
            else:
                _ask_alone(classifier, fingerprints[0], texts, answers, error)
            continue
        _collect(answers, classifier, fingerprints, scores)


def _ask_alone(
    classifier: Classifier,
    fingerprint: str,
    texts: dict[str, str],
    answers: _Answers,
    error: Exception,
) -> None:
    """Ask once more for a text that made inference raise: the failure may have been a passing one.

    Raises:
        ModelError: the model fails on its own stored texts as well.
    """
    _acquit(classifier, error)
    try:
        scores = _score_finite(classifier, [texts[fingerprint]])
    except Exception as again:  # noqa: BLE001 - as in _ask()
        answers.poison[classifier.version, fingerprint] = f"{type(again).__name__}: {again}"
        _log.warning("poison_pill", error=type(again).__name__)
    else:
        _collect(answers, classifier, [fingerprint], scores)


def _score_finite(classifier: Classifier, texts: list[str]) -> Scores:
    scores = classifier.score(texts)
    if not np.isfinite(scores.probabilities).all():
        raise FloatingPointError("the model's output is not a number")
    return scores


def _acquit(classifier: Classifier, error: Exception) -> None:
    """Make sure that the model works, before a text is blamed.

    A model that fails on everything (a lost GPU, say) must stop the worker, or the whole stream
    would end in the dead-letter topic.

    Raises:
        ModelError: the model fails on its own stored texts as well.
    """
    try:
        classifier.self_test()
    except Exception as broken:  # noqa: BLE001 - any failure means the same
        raise ModelError(
            f"the model stopped working: {broken}",
            "nothing was lost; restart the worker, and check the GPU or the model folder",
        ) from error


def _collect(
    answers: _Answers, classifier: Classifier, fingerprints: list[str], scores: Scores
) -> None:
    inferred = scores.inference
    if classifier.cascaded:
        by_first = int(inferred.by_first.sum())
        answers.stages += Counter(first=by_first, last=len(fingerprints) - by_first)
    answers.tokenize += inferred.tokenize_seconds
    answers.inference += inferred.inference_seconds
    answers.padded += inferred.padded_tokens
    for i, fingerprint in enumerate(fingerprints):
        answers.by_key[classifier.version, fingerprint] = CachedPrediction(
            scores.probabilities[i],
            inferred.tokens[i],
            inferred.unknown[i],
            bool(inferred.by_first[i]),
        )
