"""One trace from a producer over a worker to a category topic, and logs that name it."""

import io
import json
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schemas import Review, trace_context
from stream.clients import ReviewProducer
from stream.errors import ExtraMissing
from stream.kafka.topic_creation import create_topics
from stream.logs import configure_logs
from stream.model.classifier import Classifier
from stream.settings import LogSettings
from stream.tracing import open_tracing
from stream.tracing.spans import Tracing
from tests.support.pipeline import (
    pipeline_settings,
    read_outputs,
    running_worker,
    tiny_folder,
)
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.kafka
SURE, UNSURE = "сапоги жмут", "тут непонятно"


class Collector:
    """Keeps spans in memory, as a collector would get them."""

    def __init__(self):
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def spans(self, kind):
        return [span for span in self._exporter.get_finished_spans() if span.kind is kind]


@pytest.fixture
def collector():
    return Collector()


@pytest.fixture
async def settings(kafka, topic_prefix, tmp_path):
    made = pipeline_settings(kafka, topic_prefix, log={"level": "debug"})
    await create_topics(made)
    write_tiny_model(tiny_folder(tmp_path))
    return made


@pytest.fixture
def classifier(settings, tmp_path):
    return Classifier.load(tiny_folder(tmp_path))


async def send(settings, texts, tracing=None):
    async with ReviewProducer(settings, tracing=tracing) as producer:
        await producer.send_many(Review(review_id=f"r{i}", text=t) for i, t in enumerate(texts))


async def outputs(settings, count):
    found = await read_outputs(settings.kafka.bootstrap_servers, settings.topic_names, count)
    return {record.key.decode(): record for record in found}


async def test_an_output_carries_its_producers_trace(settings, classifier, collector):
    await send(settings, [SURE, UNSURE], Tracing(collector.provider))
    async with running_worker(settings, classifier):
        found = await outputs(settings, 2)
    (sent,) = collector.spans(trace.SpanKind.PRODUCER)
    wanted = f"{sent.context.trace_id:032x}", f"{sent.context.span_id:016x}", True
    assert {trace_context(record.headers) for record in found.values()} == {wanted}
    # CloudEvents' distributed tracing extension says the same.
    headers = dict(found["r0"].headers)
    assert headers["ce_traceparent"] == headers["traceparent"]


async def test_a_batch_is_one_span_that_names_every_trace_in_it(settings, classifier, collector):
    tracing = Tracing(collector.provider)
    async with ReviewProducer(settings, tracing=tracing) as producer:
        for i in range(5):
            await producer.send(Review(review_id=f"r{i}", text=SURE))
    async with running_worker(settings, classifier, tracing):
        await outputs(settings, 5)
    sent = {span.context.trace_id for span in collector.spans(trace.SpanKind.PRODUCER)}
    batches = collector.spans(trace.SpanKind.CONSUMER)
    linked = [link.context.trace_id for span in batches for link in span.links]
    assert sorted(linked) == sorted(sent)
    assert sum(span.attributes["messaging.batch.message_count"] for span in batches) == 5


async def test_a_batch_of_one_trace_is_part_of_it(settings, classifier, collector):
    tracing = Tracing(collector.provider)
    await send(settings, [SURE], tracing)
    async with running_worker(settings, classifier, tracing):
        await outputs(settings, 1)
    (sent,) = collector.spans(trace.SpanKind.PRODUCER)
    (batch,) = collector.spans(trace.SpanKind.CONSUMER)
    assert batch.context.trace_id == sent.context.trace_id
    assert batch.parent.span_id == sent.context.span_id
    assert sent.start_time <= batch.start_time <= batch.end_time


async def test_reviews_that_nobody_traces_make_no_span(settings, classifier, collector):
    await send(settings, [SURE])
    async with running_worker(settings, classifier, Tracing(collector.provider)):
        found = await outputs(settings, 1)
    assert collector.spans(trace.SpanKind.CONSUMER) == []
    assert trace_context(found["r0"].headers) is None


async def test_a_callers_span_is_the_parent(settings, collector):
    with collector.provider.get_tracer("shop").start_as_current_span("order") as order:
        await send(settings, [SURE], Tracing(collector.provider))
    (sent,) = collector.spans(trace.SpanKind.PRODUCER)
    assert sent.parent.span_id == order.get_span_context().span_id


@pytest.fixture
def logs(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logs(LogSettings(level="debug", format="json"))
    return written


async def test_logs_name_review_and_trace_and_never_the_text(settings, classifier, collector, logs):
    await send(settings, [SURE, UNSURE], Tracing(collector.provider))
    async with running_worker(settings, classifier):
        await outputs(settings, 2)
    (sent,) = collector.spans(trace.SpanKind.PRODUCER)
    lines = [json.loads(line) for line in logs.getvalue().splitlines()]
    said = json.dumps(lines, ensure_ascii=False)
    decided = {line["review_id"]: line for line in lines if line["event"] == "decided"}
    assert set(decided) == {"r0", "r1"}
    assert {line["trace_id"] for line in decided.values()} == {f"{sent.context.trace_id:032x}"}
    assert SURE not in said
    assert UNSURE not in said


def test_switched_off_nothing_of_ours_loads_opentelemetry():
    program = """
import sys, stream.worker, stream.clients
print('stream.tracing.spans' in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_without_the_extra_the_line_that_installs_it_is_named(monkeypatch, kafka, topic_prefix):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "stream.tracing.spans")
    wanted = pipeline_settings(kafka, topic_prefix, tracing={"enabled": True})
    with pytest.raises(ExtraMissing) as missing:
        open_tracing(wanted, "reviews-worker")
    assert "reviews-stream[otel]" in missing.value.remedy
