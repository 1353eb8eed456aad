"""All that the monitor knows, behind one door for Faust, the page and Prometheus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from schemas import BatchSummary, CategoryWindow
from stream.guard.holds import Holds
from stream.guard.sealing import DecisionSeal
from stream.model.signing import TrustedKeys
from stream.monitor.alerts import Alert
from stream.monitor.announcements import Announcements
from stream.monitor.audits import Audits
from stream.monitor.bucket import Bucket
from stream.monitor.decisions import Decisions
from stream.monitor.history import Change, History, TimeRules
from stream.monitor.promises import Promises
from stream.monitor.references import References
from stream.monitor.standing import BrokerView
from stream.monitor.watch import PipelineStanding, Watch
from stream.monitor.windows import WindowKind, category_windows
from stream.settings import GuardSettings, MonitorSettings

# Enough for an evening's look back; older ones are in the log.
_REMEMBERED_CHANGES: Final = 50
# Windows of one kind that are closed in one go; more wait for the next tick, a second later.
_CLOSED_AT_ONCE: Final = 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Windows:
    """One window of all categories, ready to be published."""

    kind: str
    start: int
    end: int
    categories: list[CategoryWindow]
    final: bool


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert that was raised or cleared."""

    name: str
    title: str
    raised: bool
    value: float | None
    at: float
    """Seconds since 1970: event time for alerts about windows, else the clock's."""


class Engine:
    """History, decisions, models and alerts of one pipeline.

    Args:
        settings: how windows are cut and when alerts are raised.
        model_folder: the model that workers serve unless another one is announced: its manifest
            tells what is normal.
        clock: seconds since 1970.
        registry: announced models lie below it; None: they cannot be seen from here.
        trusted: whose announcements count; everybody's unless given.
        guard: what follows when a promise is broken.
        holds: which categories are held; nothing unless given.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        model_folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        registry: Path | None = None,
        trusted: TrustedKeys | None = None,
        guard: GuardSettings | None = None,
        holds: Holds | None = None,
    ) -> None:
        self.settings = settings
        rules = TimeRules(
            bucket=settings.bucket_seconds,
            grace=settings.grace_seconds,
            retention=settings.retention_hours * 3600,
            idle=settings.idle_seconds,
        )
        self.clock = clock
        self.started_at = clock()
        self.history = History(rules, settings.baseline_reviews)
        self.decisions = Decisions(rules, clock)
        self.references = References(self.history.baseline, settings.baseline_reviews)
        guard = GuardSettings() if guard is None else guard
        self.holds = Holds(DecisionSeal(guard, "")) if holds is None else holds
        self.audits = Audits(self.decisions)
        self.promises = Promises(
            guard, self.references, self.audits, self.holds, clock, settings.name
        )
        self.watch = Watch(settings, self.history, self.references, self.promises)
        self.changes: deque[AlertChange] = deque(maxlen=_REMEMBERED_CHANGES)
        self.announcements = Announcements(
            self.references, registry, TrustedKeys(()) if trusted is None else trusted
        )
        self.broker = BrokerView()
        self.kinds = {
            "tumbling": WindowKind(settings.window_seconds, settings.window_seconds),
            "hopping": WindowKind(settings.hopping_window_seconds, settings.window_seconds),
        }
        self.marks: dict[str, float] = {}
        """By kind of window: until when all have been published for good."""
        self._provisional: dict[str, tuple[int, int]] = {}
        if model_folder is not None:
            self.references.learn(model_folder)

    def restore_batches(
        self, entries: Iterable[tuple[str, Mapping[str, Any]]], partitions: Iterable[int]
    ) -> None:
        """Take over the durable table of batches; see :meth:`History.restore`."""
        self.history.restore(entries, partitions)
        self.watch.restart()

    def apply_batch(self, partition: int, offset: int, summary: BatchSummary) -> list[Change]:
        """Take a summary in; return what must be made durable."""
        self.broker.last_batch_at = self.clock()
        self.announcements.told(summary)
        return self.history.apply(partition, offset, summary)

    def newest_window(self) -> Bucket:
        """Return the newest hopping window, which drift, precision and alerts are about."""
        return self.history.newest(self.settings.hopping_window_seconds)

    @property
    def backlog(self) -> int:
        """Reviews that wait for a decision; see :class:`~stream.monitor.decisions.Decisions`."""
        return self.decisions.waiting

    def look(self) -> list[Alert]:
        """Bring the alerts up to date; return those that changed."""
        now = self.clock()
        lag = self.broker.lag
        standing = PipelineStanding(
            lag,
            self.broker.silence(now, self.started_at),
            self.backlog,
            self.promises.worst_proof(self.newest_window().model),
            len(self.holds.all_held()),
        )
        changed = self.watch.look(standing, now)
        for alert in changed:
            change = AlertChange(
                alert.rule.name, alert.rule.title, alert.active, alert.value, alert.since or now
            )
            self.changes.append(change)
            log = _log.warning if alert.active else _log.info
            log(
                "alert_raised" if alert.active else "alert_cleared",
                alert=change.name,
                value=change.value,
                advice=alert.rule.advice,
            )
        return changed

    def closed_windows(self) -> list[Windows]:
        """Return the windows that no event can change any more and that were not returned before.

        The caller publishes them in order and then calls :meth:`published`. Empty windows are left
        out.
        """
        starts, watermark = self.history.starts(), self.history.watermark
        if not starts or not watermark:
            return []
        closed: list[Windows] = []
        moments = {*starts, *self.decisions.starts()}
        for name, kind in self.kinds.items():
            after = max(self.marks.get(name, 0.0), starts[0])
            found = 0
            for end in kind.ends_in(moments, after, watermark):
                if found == _CLOSED_AT_ONCE:
                    break
                if windows := self._windows(name, end - kind.length, end, final=True):
                    closed.append(windows)
                    found += 1
        return closed

    def open_windows(self) -> list[Windows]:
        """Return the newest window of each kind as it stands, if it changed since the last call."""
        latest = self.history.latest
        changed: list[Windows] = []
        if not latest:
            return changed
        for name, kind in self.kinds.items():
            start, end = kind.open_at(latest)
            windows = self._windows(name, start, end, final=False)
            if windows is None:
                continue
            state = (start, sum(w.published + w.relabelled for w in windows.categories))
            if self._provisional.get(name) != state:
                self._provisional[name] = state
                changed.append(windows)
        return changed

    def published(self, windows: Windows) -> float:
        """Note that a closed window was published; return the kind's new mark."""
        self.marks[windows.kind] = float(windows.end)
        return self.marks[windows.kind]

    def _windows(self, kind: str, start: int, end: int, *, final: bool) -> Windows | None:
        batches = self.history.window(start, end)
        decided = self.decisions.window(start, end)
        if not batches.reviews and not decided.categories:
            return None
        drift = self.references.drift(batches)
        categories = category_windows(start, end, batches, decided, drift, final=final)
        return Windows(kind, start, end, categories, final)
