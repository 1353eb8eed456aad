"""The monitor's memory of batches: buckets of event time by partition.

Nothing here knows Faust. :meth:`History.apply` returns the entries that changed, and whoever owns a
durable table writes them there; :meth:`History.restore` reads them back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas import BatchSummary
from stream.monitor.bucket import Bucket
from stream.monitor.watermark import Watermark

_TOTAL: Final = "total"
_BASELINE: Final = "baseline:"


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How event time is cut, in seconds.

    Attributes:
        bucket: width of a bucket.
        grace: how long a window stays open for what comes late.
        retention: how long buckets are kept.
        idle: a partition that is silent for longer does not hold windows open.
    """

    bucket: int = 10
    grace: float = 60.0
    retention: float = 6 * 3600.0
    idle: float = 30.0

    def start_of(self, event_time: float) -> int:
        """Return where the bucket of a moment begins."""
        return int(event_time // self.bucket) * self.bucket


@dataclass(frozen=True, slots=True)
class Change:
    """An entry to be written to the durable table; no value: to be deleted."""

    key: str
    value: dict[str, Any] | None


class History:
    """Buckets by event time, totals since the first start, and a baseline per model.

    Args:
        rules: how time is cut.
        baseline_reviews: reviews of a new model that are remembered as what is normal for it.
        clock: monotonic seconds, to notice silent partitions.
    """

    def __init__(
        self,
        rules: TimeRules,
        baseline_reviews: int = 2000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = rules
        self._baseline_reviews = baseline_reviews
        self._clock = clock
        self.restore((), ())

    def restore(
        self, entries: Iterable[tuple[str, Mapping[str, Any]]], partitions: Iterable[int]
    ) -> None:
        """Forget everything and take over what a durable table holds.

        Args:
            entries: keys and values as :meth:`apply` returned them.
            partitions: of the topic of summaries, those that we read.
        """
        self._entries: dict[str, dict[int, Bucket]] = {}
        """By name (a bucket's beginning, or what else is summed up), then by partition."""
        self._starts: set[int] = set()
        self._merged: dict[int, Bucket] = {}
        self._watermark = Watermark(self.rules.grace, self.rules.idle, self._clock)
        for key, value in entries:
            owner, _, name = key.partition("/")
            self._put(int(owner), name, Bucket.from_json(value))
        for partition, bucket in self._entries.get(_TOTAL, {}).items():
            self._watermark.observe(partition, bucket.latest)
        self._watermark.expect(partitions)

    def apply(self, partition: int, offset: int, summary: BatchSummary) -> list[Change]:
        """Take a summary in; return what must be made durable, in this order.

        Args:
            partition: of the topic of summaries.
            offset: the summary's place there.
            summary: what a worker's transaction held.
        """
        event_time = _event_time(summary)
        start = self.rules.start_of(event_time)
        batch = Bucket.of(summary, event_time)
        changes: list[Change] = []
        if start + self.rules.bucket <= self.watermark:
            batch.late = summary.reviews
        else:
            changes += self._take(partition, str(start), batch, offset)
            if self.baseline(summary.model_version).classified < self._baseline_reviews:
                name = _BASELINE + summary.model_version
                changes += self._take(partition, name, batch, offset)
        changes += self._take(partition, _TOTAL, batch, offset)
        self._watermark.observe(partition, event_time)
        changes += self._forget_old(partition)
        return changes

    @property
    def watermark(self) -> float:
        """Event time (seconds since 1970) before which windows are closed; 0: none is yet."""
        return self._watermark.value

    @property
    def latest(self) -> float:
        """Latest event time seen, seconds since 1970; 0: none yet."""
        return max((bucket.latest for bucket in self._named(_TOTAL)), default=0.0)

    def total(self) -> Bucket:
        """Return the sums since the monitor's first start."""
        return _sum(self._named(_TOTAL))

    def baseline(self, model_version: str) -> Bucket:
        """Return the first reviews that a model answered."""
        return _sum(self._named(_BASELINE + model_version))

    def window(self, start: float, end: float) -> Bucket:
        """Return the sums of all buckets that begin in ``[start, end)``."""
        return _sum(self._at(s) for s in self._starts if start <= s < end)

    def newest(self, seconds: float) -> Bucket:
        """Return the sums of the buckets of the last so many seconds, up to the latest event."""
        end = self.rules.start_of(self.latest) + self.rules.bucket
        return self.window(end - seconds, end)

    def starts(self) -> list[int]:
        """Return where buckets begin, in order."""
        return sorted(self._starts)

    def _take(self, partition: int, name: str, batch: Bucket, offset: int) -> list[Change]:
        bucket = self._entries.get(name, {}).get(partition) or Bucket()
        if not bucket.take(batch, offset):
            return []
        self._put(partition, name, bucket)
        return [Change(f"{partition}/{name}", bucket.to_json())]

    def _put(self, partition: int, name: str, bucket: Bucket) -> None:
        self._entries.setdefault(name, {})[partition] = bucket
        if name.isdecimal():
            self._starts.add(int(name))
            self._merged.pop(int(name), None)

    def _forget_old(self, partition: int) -> Iterator[Change]:
        """Drop a partition's buckets beyond the retention: each is written by its owner alone."""
        oldest = self.latest - self.rules.retention
        for start in [s for s in self._starts if s < oldest]:
            owners = self._entries[str(start)]
            if owners.pop(partition, None) is None:
                continue
            self._merged.pop(start, None)
            if not owners:
                self._starts.discard(start)
                del self._entries[str(start)]
            yield Change(f"{partition}/{start}", None)

    def _named(self, name: str) -> Iterable[Bucket]:
        return self._entries.get(name, {}).values()

    def _at(self, start: int) -> Bucket:
        if start not in self._merged:
            self._merged[start] = _sum(self._named(str(start)))
        return self._merged[start]


def _sum(buckets: Iterable[Bucket]) -> Bucket:
    total = Bucket()
    for bucket in buckets:
        total.add(bucket)
    return total


def _event_time(summary: BatchSummary) -> float:
    """Return when a batch happened: at its latest review.

    A producer whose clock runs ahead must not close everybody's windows: no review happened after
    it was processed.
    """
    return min(summary.last_event_at, summary.processed_at).timestamp()
