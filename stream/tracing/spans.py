"""The spans. All names of OpenTelemetry's semantic conventions for messaging stand here."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Self

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas import Headers, TraceContext, trace_context

if TYPE_CHECKING:
    from aiokafka import TopicPartition

_SCOPE: Final = "reviews-stream"
# What the SDK keeps of a span's links unless told otherwise (OTEL_SPAN_LINK_COUNT_LIMIT).
MAX_LINKS: Final = 128
_SECOND_NS: Final = 1_000_000_000
# Spans are a courtesy: nobody who is told to end waits longer for them.
_CLOSE_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class Tracing:
    """Makes spans and sends them off.

    Args:
        provider: where spans go: your service's own, or that of :meth:`to_collector`.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_SCOPE)

    @classmethod
    def to_collector(cls, endpoint: str, service: str, share: float) -> Self:
        """Return tracing that exports in batches, by a thread of its own.

        Args:
            endpoint: of the collector, OTLP over HTTP.
            service: ``service.name`` of the spans.
            share: of the traces that begin here, how many are kept.
        """
        provider = TracerProvider(
            resource=Resource.create({"service.name": service}),
            sampler=ParentBasedTraceIdRatio(share),
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        return cls(provider)

    @contextlib.contextmanager
    def sending(self, topic: str) -> Iterator[Headers]:
        """Span one call of a producer. A span of the caller's, if there is one, is its parent.

        Yields:
            The headers that every message of the call gets.
        """
        with self._tracer.start_as_current_span(
            f"send {topic}", kind=SpanKind.PRODUCER, attributes=_kafka(topic, "send")
        ) as span:
            yield _headers(span)

    def committed(
        self,
        tp: TopicPartition,
        group: str,
        inputs: Iterable[Iterable[tuple[str, bytes]]],
        seconds: float,
        attributes: Mapping[str, str | int | float],
    ) -> None:
        """Span a batch that was just committed, if any review in it was sent in a sampled trace.

        Args:
            tp: the input partition.
            group: consumer group.
            inputs: headers of the batch's input messages.
            seconds: from taking the first of them in until now.
            attributes: what else is told of the batch.
        """
        contexts = list({c: None for headers in inputs if (c := _sampled(headers)) is not None})
        if not contexts:
            return
        links = [Link(_span_context(context)) for context in contexts[:MAX_LINKS]]
        # Of one trace the batch is a part; at several it can only point.
        alone = len(contexts) == 1
        parent = set_span_in_context(NonRecordingSpan(links[0].context)) if alone else Context()
        ended = time.time_ns()
        span = self._tracer.start_span(
            f"process {tp.topic}",
            context=parent,
            kind=SpanKind.CONSUMER,
            links=links,
            start_time=ended - int(seconds * _SECOND_NS),
            attributes={
                **_kafka(tp.topic, "process"),
                "messaging.destination.partition.id": str(tp.partition),
                "messaging.consumer.group.name": group,
                **attributes,
            },
        )
        span.end(ended)

    async def close(self) -> None:
        """Send off what is left, as far as a collector takes it within two seconds."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def send_off() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        # A daemon: the SDK waits half a minute for a collector that says nothing, and a process for its
        # other threads.
        threading.Thread(target=send_off, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await ended.wait()
        except TimeoutError:
            _log.warning("spans_not_sent", reason="the collector does not answer")


def _sampled(headers: Iterable[tuple[str, bytes]]) -> TraceContext | None:
    context = trace_context(headers)
    return context if context is not None and context.sampled else None


def _kafka(topic: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }


def _headers(span: Span) -> Headers:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    hop = [(name, value.encode()) for name, value in carrier.items()]
    return [*hop, *((f"ce_{name}", value) for name, value in hop)]


def _span_context(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
