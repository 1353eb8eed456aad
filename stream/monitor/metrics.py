"""What the monitor knows, for Prometheus: asked for at each scrape, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas import all_categories
from stream.monitor.bucket import Bucket, Tally
from stream.monitor.engine import Engine


class MonitorMetrics(Collector):
    """Metrics of one engine, in a registry of its own.

    Args:
        engine: what is measured.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """Registering must not collect: there is nothing yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield everything, as it stands now."""
        engine = self._engine
        window = engine.newest_window()
        yield from _standing(engine)
        yield from _totals(engine.history.total())
        yield from _window(engine, window)
        yield from _precision(engine, window)
        yield _alerts(engine)
        yield from _alert_levels(engine)


def _standing(engine: Engine) -> Iterator[Metric]:
    lag = GaugeMetricFamily(
        "reviews_monitor_partition_lag",
        "Input events that are not answered, as the broker sees it.",
        labels=["partition"],
    )
    held = GaugeMetricFamily(
        "reviews_monitor_partition_held",
        "Those of them that nobody can read before an open transaction ends.",
        labels=["partition"],
    )
    for number, partition in engine.broker.partitions.items():
        lag.add_metric([str(number)], partition.lag)
        held.add_metric([str(number)], partition.held)
    yield lag
    yield held
    yield _open_transactions(engine)
    yield GaugeMetricFamily(
        "reviews_monitor_broker_up",
        "1 while the broker answers the monitor.",
        value=engine.broker.asked_at is not None,
    )
    yield GaugeMetricFamily(
        "reviews_monitor_relabel_backlog",
        "Reviews that wait for a decision: no decision that holds answers their text.",
        value=engine.backlog,
    )
    yield GaugeMetricFamily(
        "reviews_monitor_watermark_timestamp_seconds",
        "Event time before which windows are closed.",
        value=engine.history.watermark,
    )


def _open_transactions(engine: Engine) -> Metric:
    seconds = GaugeMetricFamily(
        "reviews_monitor_open_transaction_seconds",
        "How long the transaction has been open that readers of a partition wait for.",
        labels=["partition"],
    )
    for partition in engine.broker.held:
        if partition.transaction is not None and partition.transaction.since is not None:
            age = engine.clock() - partition.transaction.since.timestamp()
            seconds.add_metric([str(partition.partition)], max(age, 0.0))
    return seconds


def _totals(total: Bucket) -> Iterator[Metric]:
    outcomes = CounterMetricFamily(
        "reviews_monitor_outcomes",
        "Input events by outcome, since the monitor's first start.",
        labels=["route"],
    )
    for route, count in (
        ("category", total.published),
        ("relabel", total.relabelled),
        ("dead-letter", total.dead),
        ("deleted", total.deleted),
    ):
        outcomes.add_metric([route], count)
    yield outcomes
    yield CounterMetricFamily(
        "reviews_monitor_late_reviews",
        "Reviews that came after their window was closed: in totals, in no window.",
        value=total.late,
    )
    categories = CounterMetricFamily(
        "reviews_monitor_category_reviews",
        "Reviews by the model's best guess.",
        labels=["category", "route"],
    )
    for category in all_categories():
        tally = total.categories.get(category.slug, Tally())
        categories.add_metric([category.slug, "category"], tally.published)
        categories.add_metric([category.slug, "relabel"], tally.relabelled)
    yield categories


def _window(engine: Engine, window: Bucket) -> Iterator[Metric]:
    drift = engine.references.drift(window)
    measured = {
        "mix_psi": drift.mix_psi,
        "mix_js": drift.mix_js,
        "confidence_psi": drift.confidence_psi,
    }
    family = GaugeMetricFamily(
        "reviews_monitor_drift",
        "Distance of the newest hopping window from what is normal for the model.",
        labels=["measure"],
    )
    for name, value in measured.items():
        if value is not None:
            family.add_metric([name], value)
    yield family
    shares = (
        ("reviews_monitor_relabel_ratio", "Unsure among the classified.", window.relabel_share),
        ("reviews_monitor_confidence_ratio", "Mean confidence.", window.mean_confidence),
        ("reviews_monitor_unknown_token_ratio", "Unknown word pieces.", window.unknown_share),
    )
    for name, meaning, share in shares:
        if share is not None:
            yield GaugeMetricFamily(name, f"{meaning} In the newest hopping window.", value=share)
    if window.model is not None:
        yield InfoMetricFamily(
            "reviews_monitor_model", "The model that answered most.", {"version": window.model}
        )


def _alert_levels(engine: Engine) -> Iterator[Metric]:
    levels = GaugeMetricFamily(
        "reviews_monitor_alert_raise_at",
        "The monitor's own alert is raised when its value is at least this.",
        labels=["alert"],
    )
    values = GaugeMetricFamily(
        "reviews_monitor_alert_value", "What the monitor's own alert saw last.", labels=["alert"]
    )
    for alert in engine.watch.alerts:
        levels.add_metric([alert.rule.name], alert.rule.raise_at)
        if alert.value is not None:
            values.add_metric([alert.rule.name], alert.value)
    yield levels
    yield values


def _precision(engine: Engine, window: Bucket) -> Iterator[Metric]:
    families = {
        name: GaugeMetricFamily(f"reviews_monitor_{name}", meaning, labels=["category"])
        for name, meaning in _PRECISION.items()
    }
    for row in engine.promises.standing(window):
        label = [row.category.slug if row.category is not None else ""]
        values: dict[str, float | None] = {"promise_proof_ratio": row.proof}
        if row.estimated is not None:
            values["estimated_precision_ratio"] = row.estimated.precision
        if (measured := row.measured) is not None:
            values["audits_asked"] = measured.audited
            values["audits_decided"] = measured.decided
        if measured is not None and measured.precision is not None:
            values["audited_precision_ratio"] = measured.precision
            values["audited_precision_low_ratio"] = measured.low
            values["audited_precision_high_ratio"] = measured.high
            if measured.expected is not None:
                values["estimate_error_ratio"] = measured.expected - measured.precision
        for name, value in values.items():
            if value is not None:
                families[name].add_metric(label, value)
    yield from families.values()
    promise = GaugeMetricFamily(
        "reviews_monitor_promised_precision_ratio",
        "Precision that the serving model's published reviews are to have.",
        labels=[],
    )
    if (promised := engine.promises.promised(window.model)) is not None:
        promise.add_metric([], promised)
    yield promise
    held = GaugeMetricFamily(
        "reviews_monitor_category_held",
        "1 while the guard holds the category of the model.",
        labels=["category", "model"],
    )
    for one in engine.holds.all_held():
        held.add_metric([one.category.slug, one.model_version], 1)
    yield held
    yield CounterMetricFamily(
        "reviews_monitor_held_reviews",
        "Reviews that went to people because their category was held.",
        value=engine.history.total().held,
    )


_PRECISION: Final = {
    "audited_precision_ratio": "Share right of what was published, weighted, by audits of the serving model.",
    "audited_precision_low_ratio": "Lower end of its 95% interval (Wilson).",
    "audited_precision_high_ratio": "Upper end.",
    "audits_asked": "Audits of the serving model that people were asked.",
    "audits_decided": "Those that somebody has decided.",
    "estimated_precision_ratio": "Share right by confidence, of the newest hopping window.",
    "estimate_error_ratio": "By how much confidence promised more than audits found, of the same reviews.",
    "promise_proof_ratio": "Evidence of audits against the promise; 1 is proof.",
}


def _alerts(engine: Engine) -> Metric:
    family = GaugeMetricFamily(
        "reviews_monitor_alert_active",
        "1 while the monitor's own alert is raised.",
        labels=["alert", "severity"],
    )
    for alert in engine.watch.alerts:
        family.add_metric([alert.rule.name, alert.rule.severity], alert.active)
    return family
