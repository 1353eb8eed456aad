"""What the monitor makes of announced models: who wants them, and who refused them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from schemas import BatchSummary, ModelAnnouncement
from stream.errors import ModelError
from stream.model.admission import announced_manifest
from stream.model.signing import TrustedKeys
from stream.model.trial import brief
from stream.monitor.references import References

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """One announcement as the monitor saw it."""

    announcement: ModelAnnouncement
    unsigned: str = ""
    """Why no worker may serve it; empty: nobody knows of a reason."""


class Announcements:
    """Announced models, and which of them workers refused.

    Args:
        references: learn what is normal for a model.
        registry: announced models lie below it; None: the monitor cannot see them.
        trusted: whose signatures count.
    """

    def __init__(self, references: References, registry: Path | None, trusted: TrustedKeys) -> None:
        self._references = references
        self._registry = registry
        self._trusted = trusted
        self._refused_by: dict[str, str] = {}
        """Version by worker: what it refused and would serve."""
        self.all: list[Announced] = []

    def apply(self, announcement: ModelAnnouncement) -> None:
        """Note a model; what it says of itself is what is normal for it."""
        try:
            self._trusted.check(announcement)
        except ModelError as error:
            self.all.append(Announced(announcement, error.message))
            return
        self.all.append(Announced(announcement))
        if self._registry is None:
            return
        try:
            self._references.take(announced_manifest(announcement, self._registry))
        # Its location is a stranger's word, and may lie where this host sees nothing.
        except Exception as error:  # noqa: BLE001
            _log.info(
                "no_reference", location=brief(announcement.location), error=brief(str(error))
            )

    def told(self, summary: BatchSummary) -> None:
        """Note what a worker says of the model that was announced last."""
        if summary.refused_model is None:
            self._refused_by.pop(summary.worker, None)
        else:
            self._refused_by[summary.worker] = summary.refused_model

    def refusal(self, announced: Announced) -> str | None:
        """Return why an announced model does not serve, if anybody refused it."""
        if announced.unsigned:
            return announced.unsigned
        version = brief(announced.announcement.version)
        workers = sorted(name for name, refused in self._refused_by.items() if refused == version)
        return f"refused by {', '.join(workers)}" if workers else None
