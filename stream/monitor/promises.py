"""Whether categories keep their promise: measured by audits, estimated between them, and guarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas import Category, GuardDecision, all_categories, category_count
from stream.audit.precision import Audit, Measured, grouped, measure
from stream.guard.estimate import Estimate, estimate
from stream.guard.evidence import evidence, needed
from stream.guard.holds import Holds
from stream.monitor.audits import Audits
from stream.monitor.bucket import Bucket, Tally
from stream.monitor.references import References
from stream.settings import GuardSettings

# A decision that did not come back from the topic by then is sent again, with the same number: it counts
# once, however often it arrives.
_SENT_AGAIN_SECONDS: Final = 30.0
_MOST_EVIDENCE: Final = 1e15

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PromiseStanding:
    """How one category of the serving model stands to its promise.

    Attributes:
        category: which; None: all together.
        measured: by audits of that model; None: there are none.
        estimated: of the newest window, by confidence; None: nothing was published.
        proof: evidence that the promise is broken, as a share of what is needed: 1 is proof.
        held: by which decision it is held.
    """

    category: Category | None
    measured: Measured | None
    estimated: Estimate | None
    proof: float
    held: GuardDecision | None


class Promises:
    """Promises of models, and what is known of their being kept.

    Args:
        settings: mode of the guard, what is promised.
        references: what models say of themselves.
        audits: what people say of what was published.
        holds: what is held.
        clock: seconds since 1970.
        name: of the monitor, who decides.
    """

    def __init__(
        self,
        settings: GuardSettings,
        references: References,
        audits: Audits,
        holds: Holds,
        clock: Callable[[], float],
        name: str,
    ) -> None:
        self.mode = settings.mode
        self._asked = settings.promised
        self._references = references
        self._audits = audits
        self._holds = holds
        self._clock = clock
        self._name = name
        self._sent: dict[tuple[str, str], tuple[int, float]] = {}
        self._known: tuple[int, int, int] = (-1, -1, -1)
        self._measured: dict[str, dict[Category | None, Measured]] = {}
        self._proofs: dict[tuple[str, Category], tuple[float, list[bool]]] = {}

    def promised(self, version: str | None) -> float | None:
        """Return the precision that a model's published reviews are to have; None: nobody knows."""
        return self._asked or (self._references.promised(version) if version else None)

    def standing(self, window: Bucket) -> list[PromiseStanding]:
        """Return how the categories of the model that answered most of a window stand, all of them last."""
        self._learn()
        version = window.model or ""
        measured = self._measured.get(version, {})
        rows = [
            PromiseStanding(
                category,
                measured.get(category),
                estimated_precision(window.categories.get(category.slug, Tally())),
                self._proof(version, category),
                self._held(version, category),
            )
            for category in all_categories()
        ]
        whole = Tally()
        for tally in window.categories.values():
            whole.add(tally)
        proof = max((row.proof for row in rows), default=0.0)
        return [
            *rows,
            PromiseStanding(None, measured.get(None), estimated_precision(whole), proof, None),
        ]

    def worst_proof(self, version: str | None) -> float | None:
        """Return the strongest evidence against any promise of a model, 1 is proof; None: not looked at."""
        if self.mode == "off" or version is None or self.promised(version) is None:
            return None
        self._learn()
        return max((self._proof(version, category) for category in all_categories()), default=0.0)

    def due(self) -> list[GuardDecision]:
        """Return the decisions to hold that evidence asks for and that are not on the topic yet."""
        if self.mode != "hold":
            return []
        self._learn()
        now = self._clock()
        found = []
        for (version, category), (proof, right) in self._proofs.items():
            if proof < 1 or self._held(version, category) is not None:
                continue
            last = self._holds.last(version, category)
            number = last.number + 1 if last else 1
            sent = self._sent.get((version, category.slug))
            if sent is not None and sent[0] == number and now - sent[1] < _SENT_AGAIN_SECONDS:
                continue
            self._sent[version, category.slug] = (number, now)
            found.append(self._decision(version, category, number, proof, right))
        return found

    def _decision(
        self, version: str, category: Category, number: int, proof: float, right: list[bool]
    ) -> GuardDecision:
        _log.error(
            "promise_broken",
            category=category.slug,
            model=version,
            audited=len(right),
            right=sum(right),
            promised=self.promised(version),
            advice="its reviews go to people; calibrate or retrain, or `reviews guard release`",
        )
        return GuardDecision(
            category=category,
            model_version=version,
            number=number,
            action="held",
            promised=self.promised(version),
            audited=len(right),
            right=sum(right),
            evidence=min(proof * needed(category_count()), _MOST_EVIDENCE),
            decided_at=datetime.fromtimestamp(self._clock(), UTC),
            decided_by=self._name,
        )

    def _held(self, version: str, category: Category) -> GuardDecision | None:
        last = self._holds.last(version, category)
        return last if last is not None and last.action == "held" else None

    def _proof(self, version: str, category: Category) -> float:
        return self._proofs.get((version, category), (0.0, []))[0]

    def _learn(self) -> None:
        """Measure again, if there is anything new."""
        known = (
            self._audits.revision,
            len(self._holds.history),
            self._references.known_promises,
        )
        if known == self._known:
            return
        self._known = known
        by_model: dict[str, list[Audit]] = {}
        for audit in self._audits.all():
            by_model.setdefault(audit.model, []).append(audit)
        self._measured = {
            version: {one.category: one for one in measure(audits)}
            for version, audits in by_model.items()
        }
        self._proofs = {}
        for version, audits in by_model.items():
            if (promised := self.promised(version)) is None:
                continue
            by_category = grouped(audits)
            for category in all_categories():
                if right := self._answers(version, category, by_category.get(category, [])):
                    proof = evidence(right, promised) / needed(category_count())
                    self._proofs[version, category] = (proof, right)

    def _answers(self, version: str, category: Category, audits: list[Audit]) -> list[bool]:
        """Return whether audits were right, as people decided them.

        After a release, only what was published since counts: what was known before, a person has seen.
        """
        last = self._holds.last(version, category)
        since = last.decided_at if last is not None and last.action == "released" else None
        decided = [
            (audit.decided_at, audit.said == category)
            for audit in audits
            if audit.said is not None
            and audit.decided_at is not None
            and (since is None or audit.at > since)
        ]
        return [right for _, right in sorted(decided)]


def estimated_precision(tally: Tally) -> Estimate | None:
    """Return what is expected of what was published; None: nothing was, or workers did not tell."""
    return estimate(tally.told, tally.expected)


def worst_shortfall(window: Bucket, promised: float | None, enough: int) -> float | None:
    """Return by how much the worst category of a window is expected to miss its promise.

    Args:
        window: what was published.
        promised: precision; None: nothing is promised.
        enough: published reviews of a category from which on it is judged.
    """
    if promised is None:
        return None
    found = [
        estimated.shortfall(promised)
        for tally in window.categories.values()
        if tally.told >= enough and (estimated := estimated_precision(tally)) is not None
    ]
    return max(found, default=None)
