"""What is watched, and which alerts it raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stream.monitor.alerts import Alert, AlertRule
from stream.monitor.bucket import Bucket
from stream.monitor.history import History
from stream.monitor.promises import Promises, worst_shortfall
from stream.monitor.references import References
from stream.settings import MonitorSettings

# After a restart the alerts are what the remembered buckets make them; older ones than this
# cannot matter, since every alert about windows looks at one hopping window and its hold.
_FOLDED_WINDOWS: Final = 6


@dataclass(frozen=True, slots=True)
class PipelineStanding:
    """How the pipeline stands now, as told by the broker and the clock."""

    lag: int | None = None
    """Reviews that wait for a worker; None: the broker did not say."""
    silence: float | None = None
    """Seconds since a worker finished a batch, while reviews wait; 0 when none wait."""
    backlog: int | None = None
    """Reviews that wait for a person or the ensemble."""
    proof: float | None = None
    """Evidence of audits that the serving model breaks a promise: 1 is proof; None: not looked at."""
    held: int = 0
    """Categories that are held."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A value that is beyond a level, though its alert is not raised yet."""

    name: str
    """Of the rule."""
    value: float
    """In the newest window."""
    due_in: float
    """The alert is raised if it stays so for so many seconds of events."""


class Watch:
    """All alerts. Those about windows go by event time, the others by the clock.

    Args:
        settings: levels.
        history: where windows come from.
        references: what is normal.
        promises: what models promise.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        history: History,
        references: References,
        promises: Promises,
    ) -> None:
        self._settings = settings
        self._promises = promises
        self._history = history
        self._references = references
        self._of_windows = [Alert(rule) for rule in _window_rules(settings)]
        self._of_standing = [Alert(rule) for rule in _standing_rules(settings)]
        self._seen_until = 0.0

    @property
    def alerts(self) -> list[Alert]:
        """Every alert, raised or not."""
        return [*self._of_standing, *self._of_windows]

    def watched(self) -> list[Watched]:
        """Return what the newest window holds that would raise an alert, if it stays so.

        That window ends with a bucket that still fills: what is judged ends before it.
        """
        newest = self._history.newest(self._settings.hopping_window_seconds)
        values = self._values(newest)
        return [
            Watched(alert.rule.name, value, alert.due_in)
            for alert, value in zip(self._of_windows, values, strict=True)
            if not alert.active and value is not None and value >= alert.rule.raise_at
        ]

    def restart(self) -> None:
        """Forget the alerts about windows; the next look derives them from the history."""
        self._of_windows = [Alert(alert.rule) for alert in self._of_windows]
        self._seen_until = 0.0

    def look(self, standing: PipelineStanding, now: float) -> list[Alert]:
        """Bring all alerts up to date; return those that were raised or cleared.

        Args:
            standing: as it is now.
            now: seconds since 1970.
        """
        changed: dict[str, Alert] = {}
        for end in self._new_ends():
            for alert, value in zip(self._of_windows, self._measure(end), strict=True):
                if alert.observe(value, end):
                    changed[alert.rule.name] = alert
        values = (
            standing.lag,
            standing.silence,
            standing.backlog,
            standing.proof,
            standing.held,
        )
        for alert, value in zip(self._of_standing, values, strict=True):
            if alert.observe(value, now):
                changed[alert.rule.name] = alert
        return list(changed.values())

    def _new_ends(self) -> Iterator[int]:
        """Yield the ends of buckets that began since the last look: those can be judged."""
        history, step = self._history, self._history.rules.bucket
        until = history.rules.start_of(history.latest)
        oldest = until - _FOLDED_WINDOWS * self._settings.hopping_window_seconds
        starts = history.starts()
        if not starts:
            return
        first = max(self._seen_until + step, oldest, starts[0] + step)
        self._seen_until = max(self._seen_until, until)
        yield from range(int(first), until + step, step)

    def _measure(self, end: int) -> tuple[float | None, ...]:
        """Return the values that the rules about windows judge, in their order."""
        window = self._history.window(end - self._settings.hopping_window_seconds, end)
        if window.reviews < self._settings.alert_reviews:
            return (None,) * len(self._of_windows)
        return self._values(window)

    def _values(self, window: Bucket) -> tuple[float | None, ...]:
        drift = self._references.drift(window)
        dead = window.dead / window.reviews if window.reviews else None
        promised = None
        if self._promises.mode != "off":
            promised = self._promises.promised(window.model)
        shortfall = worst_shortfall(window, promised, self._settings.alert_reviews)
        return (
            window.relabel_share,
            drift.mix_psi,
            drift.confidence_psi,
            window.unknown_share,
            dead,
            shortfall,
        )


def _window_rules(s: MonitorSettings) -> tuple[AlertRule, ...]:
    hold = s.alert_hold_seconds
    return (
        AlertRule(
            "relabel-share",
            "The model is unsure of many reviews",
            *s.alert_relabel_share,
            hold,
            advice="Look at what waits in the queue: texts of a new kind, or a bad model?",
        ),
        AlertRule(
            "category-mix",
            "The mix of categories has changed",
            *s.alert_mix_psi,
            hold,
            advice="A campaign or a new source explains it, or else the model is wrong about some.",
        ),
        AlertRule(
            "confidence",
            "The model's confidence has changed",
            *s.alert_confidence_psi,
            hold,
            advice="Compare with the last model change; label a random sample and evaluate.",
        ),
        AlertRule(
            "unknown-words",
            "Many words are new to the model",
            *s.alert_unknown_share,
            hold,
            advice="Another language or broken encoding at a producer? Else retrain.",
        ),
        AlertRule(
            "dead-letters",
            "Many messages cannot be read",
            *s.alert_dead_share,
            hold,
            severity="critical",
            advice="`reviews consume --dead-letter` shows why; mend the producer, then replay.",
        ),
        AlertRule(
            "estimated-precision",
            "Published precision is estimated below the promise",
            *s.alert_estimated_shortfall,
            hold,
            advice="Audit more of what is published, or raise the thresholds: `reviews calibrate`.",
        ),
    )


def _standing_rules(s: MonitorSettings) -> tuple[AlertRule, ...]:
    return (
        AlertRule(
            "lag",
            "The workers are behind",
            *s.alert_lag,
            s.alert_hold_seconds,
            advice="Start more workers, up to one for each partition.",
        ),
        AlertRule(
            "silence",
            "No worker is working",
            *s.alert_silence_seconds,
            severity="critical",
            advice="See whether workers run: `/readyz?verbose` and their logs.",
        ),
        AlertRule(
            "backlog",
            "Many reviews wait for a person",
            *s.alert_backlog,
            s.alert_hold_seconds,
            advice="More reviewers, the automatic relabeller, or a model that learned from labels.",
        ),
        AlertRule(
            "audited-precision",
            "Audits show that a promise is broken",
            1.0,
            0.5,
            severity="critical",
            advice="See `reviews quality`; calibrate or retrain, or let the guard hold the category.",
        ),
        AlertRule(
            "category-held",
            "A category is held: its reviews go to people",
            1,
            0,
            severity="critical",
            advice="`reviews guard` says why; a new model or `reviews guard release` lets it go.",
        ),
    )
