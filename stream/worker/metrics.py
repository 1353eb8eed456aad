"""Prometheus metrics of the worker: one prefix, base units, bounded labels."""

from __future__ import annotations

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from stream.kafka.throttling import throttling
from stream.model.strange_text import REASONS

# From under a millisecond (an idle worker's stage) to the transaction time-out.
_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
_ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class WorkerMetrics:
    """Everything that one worker counts. Each instance has its own registry, so tests can too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.reviews = Counter(
            "reviews_processed_total",
            "Input events whose outcome is committed.",
            ["route", "category"],
            registry=r,
        )
        self.dead_letters = Counter(
            "reviews_dead_letters_total", "Dead letters committed.", ["code"], registry=r
        )
        self.strange = Counter(
            "reviews_strange_texts_total",
            "Texts that were relabelled however sure the model was.",
            ["reason"],
            registry=r,
        )
        self.category_held = Gauge(
            "reviews_category_held",
            "1 while this worker publishes nothing as the category, since the guard holds it.",
            ["category", "model"],
            registry=r,
        )
        self.unread_dates = Counter(
            "reviews_unread_dates_total",
            "Reviews whose date could not be read, and is in their metadata as it was.",
            registry=r,
        )
        self.batch_rows = Histogram(
            "reviews_batch_rows", "Reviews in a micro-batch.", buckets=_ROW_BUCKETS, registry=r
        )
        self.stage_seconds = Histogram(
            "reviews_stage_seconds",
            "Time of one micro-batch in a stage.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=r,
        )
        self.end_to_end_seconds = Histogram(
            "reviews_end_to_end_seconds",
            "From the input message's timestamp to its committed outcome, worst of a batch.",
            buckets=(*_STAGE_BUCKETS, 60.0, 300.0),
            registry=r,
        )
        self.tokens = Counter("reviews_tokens_total", "Word pieces classified.", registry=r)
        self.unknown_tokens = Counter(
            "reviews_unknown_tokens_total", "Word pieces not in the vocabulary.", registry=r
        )
        self.padded_tokens = Counter(
            "reviews_padded_tokens_total", "Word pieces computed, padding included.", registry=r
        )
        self.cascade = Counter(
            "reviews_cascade_total",
            "Texts that a model of two stages classified, by the stage that decided.",
            ["stage"],
            registry=r,
        )
        self.cache_lookups = Counter(
            "reviews_cache_lookups_total", "Texts looked up.", ["result"], registry=r
        )
        self.cache_open = Gauge(
            "reviews_cache_breaker_open", "1 while Redis is left alone.", registry=r
        )
        self.transactions = Counter(
            "reviews_transactions_total",
            "Transactions by outcome: committed; fenced (the partition has another owner) or "
            "in-doubt (aborted or settled by the next producer), after which the events come again.",
            ["outcome"],
            registry=r,
        )
        self.lag = Gauge(
            "reviews_partition_lag",
            "Input events that are not yet committed, those behind an open transaction included; "
            "as of the last fetch.",
            ["partition"],
            registry=r,
        )
        self.partitions = Gauge(
            "reviews_assigned_partitions", "Input partitions assigned.", registry=r
        )
        self.model = Info("reviews_model", "The model that is served.", registry=r)
        self.shadow = Counter(
            "reviews_shadow_total", "Reviews scored by the shadow model.", ["verdict"], registry=r
        )
        self.model_swaps = Counter(
            "reviews_model_swaps_total", "Announced models by outcome.", ["outcome"], registry=r
        )
        self.model_refused = Gauge(
            "reviews_model_refused",
            "1 while what was announced last for a role is refused, and another model has it.",
            ["role"],
            registry=r,
        )
        self.schema_registry_lost = Gauge(
            "reviews_schema_registry_lost",
            "1 while reviews wait for a schema registry that gives no answer.",
            registry=r,
        )
        self.throttled = Gauge(
            "reviews_broker_throttled_seconds",
            "How long brokers have held this process to quotas, summed over connections.",
            registry=r,
        )
        self.throttled.set_function(lambda: throttling.seconds)
        # Known from the start: a rate over a series that appears with its first event misses it.
        for outcome in ("committed", "fenced", "in-doubt"):
            self.transactions.labels(outcome)
        for reason in REASONS:
            self.strange.labels(reason)
        for stage in ("first", "last"):
            self.cascade.labels(stage)
        for result in ("hit", "miss", "error"):
            self.cache_lookups.labels(result)
        for outcome in ("swapped", "refused"):
            self.model_swaps.labels(outcome)
        for role in ("serving", "shadow", "canary"):
            self.model_refused.labels(role)

    def forget_lag(self, partition: int) -> None:
        """Drop the lag of a partition that was given away: another worker tells it now."""
        with contextlib.suppress(KeyError):
            self.lag.remove(str(partition))
