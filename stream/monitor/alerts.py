"""Alerts that do not flicker: raised above one level, cleared below a lower one, both for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["warning", "critical"]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When something is worth a person's attention.

    Attributes:
        name: stable, for metrics and links: ``relabel-share``.
        title: for people.
        raise_at: raised when the value is at least this ...
        clear_at: ... and cleared when it is at most this. Between the two nothing changes.
        hold: seconds that the value must stay beyond a level.
        severity: how soon somebody should look.
        advice: what to look at first, one sentence.
    """

    name: str
    title: str
    raise_at: float
    clear_at: float
    hold: float = 0.0
    severity: Severity = "warning"
    advice: str = ""

    def __post_init__(self) -> None:
        if not self.clear_at <= self.raise_at:
            raise ValueError(f"{self.name}: cleared at {self.clear_at}, above {self.raise_at}")


class Alert:
    """One rule's state.

    Args:
        rule: when to raise and when to clear.
    """

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.active = False
        self.since: float | None = None
        """When it was raised, or cleared for the last time; None: never raised."""
        self.value: float | None = None
        """What was seen last."""
        self.changed_by: float | None = None
        """The value that raised it, or cleared it for the last time; None: never raised."""
        self._beyond_since: float | None = None
        self._seen_at = 0.0

    @property
    def due_in(self) -> float:
        """Seconds that a value which would raise it must go on for, as of what was seen last."""
        if self.active or self._beyond_since is None:
            return self.rule.hold
        return self.rule.hold - (self._seen_at - self._beyond_since)

    def observe(self, value: float | None, now: float) -> bool:
        """Note a value; return whether the alert was raised or cleared by it.

        Args:
            value: None: nothing can be said, nothing changes.
            now: seconds of any clock that never goes back.
        """
        if value is None:
            self._beyond_since = None
            return False
        self.value = value
        beyond = value <= self.rule.clear_at if self.active else value >= self.rule.raise_at
        if not beyond:
            self._beyond_since = None
            return False
        self._seen_at = now
        if self._beyond_since is None:
            self._beyond_since = now
        if now - self._beyond_since < self.rule.hold:
            return False
        self.active = not self.active
        self.since = now
        self.changed_by = value
        self._beyond_since = None
        return True
