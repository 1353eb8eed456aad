"""Prometheus metrics of the relabeller; the names are its own, so that no sum mixes it with workers."""

from __future__ import annotations

import contextlib
from collections import Counter as Counts

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from training.labelling.saved import Ensemble

OUTCOMES = ("ensemble", "llm", "people", "dead-letter")
# From a batch that only rules see to one that waits for a slow LLM.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class RelabellerMetrics:
    """Everything that one relabeller counts. Each instance has its own registry, so tests can too."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.tasks = Counter(
            "reviews_relabeller_tasks_total",
            "Relabel tasks whose outcome is committed: decided by ensemble or llm, left to people, "
            "or unreadable.",
            ["outcome"],
            registry=r,
        )
        self.decision_seconds = Histogram(
            "reviews_relabeller_decision_seconds",
            "Time that the cascade took for one batch, the LLM's included.",
            buckets=_SECONDS,
            registry=r,
        )
        self.transactions = Counter(
            "reviews_relabeller_transactions_total",
            "Transactions by outcome; see reviews_transactions_total.",
            ["outcome"],
            registry=r,
        )
        self.lag = Gauge(
            "reviews_relabeller_partition_lag",
            "Tasks that are not yet committed, as of the last fetch.",
            ["partition"],
            registry=r,
        )
        self.ensemble = Info(
            "reviews_relabeller_ensemble",
            "The ensemble that decides: version, when it was fitted, and on how many people's labels.",
            registry=r,
        )
        self.partitions = Gauge(
            "reviews_relabeller_assigned_partitions", "Partitions assigned.", registry=r
        )
        # Known from the start: a rate over a series that appears with its first event misses it.
        for outcome in OUTCOMES:
            self.tasks.labels(outcome)
        for outcome in ("committed", "fenced", "in-doubt"):
            self.transactions.labels(outcome)

    def decides(self, ensemble: Ensemble) -> None:
        """Tell which ensemble decides."""
        fitted = ensemble.fitted
        self.ensemble.info(
            {
                "version": ensemble.version,
                "fitted_at": fitted.at.isoformat(timespec="seconds"),
                "labels": str(fitted.labels),
                "precision": f"{fitted.precision:g}",
            }
        )

    def committed(self, outcomes: Counts[str]) -> None:
        """Count the tasks of one committed batch."""
        for outcome, count in outcomes.items():
            self.tasks.labels(outcome).inc(count)
        self.transactions.labels("committed").inc()

    def forget_lag(self, partition: int) -> None:
        """Drop the lag of a partition that was given away: another relabeller tells it now."""
        with contextlib.suppress(KeyError):
            self.lag.remove(str(partition))
