"""Seals of the guard's decisions: who can write the topic alone can neither hold nor release."""

from __future__ import annotations

from typing import Final

import structlog

from schemas import GuardDecision
from stream.seal import Seal, joined
from stream.settings import GuardSettings

_PURPOSE: Final = b"guard v1"
UNSEALED_REMEDY: Final = (
    "set REVIEWS_GUARD__KEY to one random text for monitor, workers and who releases"
)
"""What to do where decisions count without a seal."""

_log = structlog.get_logger(__name__)


class DecisionSeal:
    """Seals decisions, and tells which of them count.

    A copy of an old decision has an old number, and a copy for another pipeline another prefix.

    Args:
        settings: the key; without one, whoever may write the topic decides.
        prefix: of the pipeline's topics.
    """

    def __init__(self, settings: GuardSettings, prefix: str) -> None:
        key = settings.key.get_secret_value() if settings.key else ""
        self._seal = Seal(key, _PURPOSE) if key else None
        self._prefix = prefix

    def sealed(self, decision: GuardDecision) -> GuardDecision:
        """Return a decision with its seal; without a key, as it is."""
        if self._seal is None:
            return decision
        return decision.model_copy(update={"seal": self._seal.of(self._bound(decision)).hex()})

    def holds(self, decision: GuardDecision) -> bool:
        """Tell whether a decision counts: sealed with our key, if we have one."""
        if self._seal is None:
            return True
        try:
            seal = bytes.fromhex(decision.seal)
        except ValueError:
            return False
        return self._seal.holds(seal, self._bound(decision))

    def _bound(self, one: GuardDecision) -> bytes:
        return joined(
            self._prefix,
            one.model_version,
            one.category.slug,
            str(one.number),
            one.action,
            repr(one.promised),
            str(one.audited),
            str(one.right),
            repr(one.evidence),
            one.decided_at.isoformat(),
            one.decided_by,
            one.note,
        )


def anybody_decides(settings: GuardSettings) -> bool:
    """Tell whether categories are held and released by whoever may write the topic."""
    return settings.mode == "hold" and settings.key is None


def warn_if_anybody_decides(settings: GuardSettings) -> None:
    """Say so in the log, where it is so."""
    if anybody_decides(settings):
        _log.warning("guard_decisions_need_no_seal", advice=UNSEALED_REMEDY)
