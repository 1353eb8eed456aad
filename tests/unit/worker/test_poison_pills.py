"""A text that makes inference raise is set apart; a failure that passes costs no text its outcome."""

import re

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from stream.errors import ModelError
from stream.settings import CacheSettings
from stream.worker.cache import PredictionCache
from stream.worker.classification import Classification
from stream.worker.input_event import decode_event
from stream.worker.metrics import WorkerMetrics
from stream.worker.models import ServedModels
from tests.support.tiny_model import KEYWORDS, tiny_classifier

TEXTS = [f"{keyword} номер {i}" for i, keyword in enumerate(KEYWORDS)]
POISON = TEXTS[4]


class OpenProcessor:
    tp = TopicPartition("reviews.incoming", 0)
    epoch = 0


class RaisingGraph:
    """Raises as long as ``raises`` says so of the batch; otherwise it is the graph it is put around."""

    def __init__(self, inner, raises):
        self._inner, self._raises = inner, raises
        self.device = inner.device
        self.parallel_calls = inner.parallel_calls

    def run(self, input_ids, attention_mask):
        if self._raises(input_ids):
            raise ValueError("out of luck")
        return self._inner.run(input_ids, attention_mask)


def _work(offset, text):
    value = f'{{"review_id":"r{offset}","text":"{text}"}}'.encode()
    record = ConsumerRecord(OpenProcessor.tp.topic, 0, offset, 0, 0, b"k", value, None, 1, 1, ())
    return decode_event(OpenProcessor(), record, 0.0)


async def _classify(classifier, raises, texts):
    classifier.last._graph = RaisingGraph(classifier.last._graph, raises)
    metrics = WorkerMetrics()
    cache = PredictionCache(CacheSettings(url=""), metrics)
    classification = Classification(ServedModels(classifier), cache, metrics)
    try:
        events = [_work(offset, text) for offset, text in enumerate(texts)]
        return (await classification.classify(await classification.prepare(events))).events
    finally:
        classification.close()


async def test_only_the_text_that_raises_is_rejected(tmp_path):
    classifier = tiny_classifier(tmp_path)
    (guilty,) = classifier.entry.tokenize([POISON]).ids
    events = await _classify(classifier, lambda rows: guilty in rows.tolist(), TEXTS)
    assert [event.text for event in events if event.rejection] == [POISON]
    (rejected,) = (event for event in events if event.rejection)
    assert rejected.rejection.code == "inference-failed"
    assert [event.best for event in events if event.prediction] == [0, 1, 2, 3, 5, 6, 7, 8]


async def test_a_failure_that_passes_rejects_no_review_even_if_it_stands_alone(tmp_path):
    failures = [True]
    events = await _classify(
        tiny_classifier(tmp_path), lambda _: bool(failures) and failures.pop(), TEXTS[:1]
    )
    assert [(event.rejection, event.best) for event in events] == [(None, 0)]


async def test_a_model_that_fails_on_everything_rejects_nothing_and_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=re.escape("the model stopped working: out of luck")):
        await _classify(tiny_classifier(tmp_path), lambda _: True, TEXTS)


async def test_a_shadow_that_fails_on_everything_is_dropped_and_the_worker_goes_on(tmp_path):
    shadow = tiny_classifier(tmp_path / "shadow")
    shadow.last._graph = RaisingGraph(shadow.last._graph, lambda _: True)
    metrics = WorkerMetrics()
    models = ServedModels(tiny_classifier(tmp_path / "serving"))
    models.shadow = shadow
    cache = PredictionCache(CacheSettings(url=""), metrics)
    classification = Classification(models, cache, metrics)
    try:
        prepared = await classification.prepare([_work(0, TEXTS[0])])
        await classification.shadow((await classification.classify(prepared)).events)
    finally:
        classification.close()
    assert models.shadow is None
