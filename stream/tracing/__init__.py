"""OpenTelemetry traces, with the extra ``otel``: from a producer over a worker to its outputs.

One span a call of the producer and one a committed batch of the worker, never one a review: reviews
carry their producer's context on, and a batch names them as links. Without the extra, or switched
off, no span is made, and the context is carried on all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas import trace_context
from stream.errors import ExtraMissing

if TYPE_CHECKING:
    from stream.settings import Settings
    from stream.tracing.spans import Tracing


def open_tracing(settings: Settings, service: str, *, share: float | None = None) -> Tracing | None:
    """Return tracing to the configured collector (OTLP over HTTP); None where it is off.

    Args:
        settings: address of the collector.
        service: ``service.name`` of the spans.
        share: of the traces that begin here, how many are kept; as configured unless given.

    Raises:
        ExtraMissing: it is on, and the extra ``otel`` is not installed.
    """
    if not settings.tracing.enabled:
        return None
    try:
        # Nobody loads OpenTelemetry who does not want it.
        from stream.tracing.spans import Tracing  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"traces need {error.name}, which is not installed",
            "pip install 'reviews-stream[otel]', or unset REVIEWS_TRACING__ENABLED",
        ) from None
    kept = settings.tracing.sample_share if share is None else share
    return Tracing.to_collector(settings.tracing.endpoint, service, kept)


def trace_fields(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Return what a log line about a message says of its trace; nothing where it has none."""
    context = trace_context(headers)
    return {} if context is None else {"trace_id": context.trace_id}
