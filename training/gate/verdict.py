"""What the gate found, as data: the report's pages and its JSON are made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from stream.settings import GateSettings
from training.measures.metrics import Interval

Blessing = Literal["infrastructure", "metrics"]


class _Finding(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Check(_Finding):
    """One condition, and whether the candidate meets it."""

    blessing: Blessing
    name: str
    passed: bool
    found: str
    wanted: str


class FrozenScores(_Finding):
    """One model on one frozen set."""

    weighted_f1: Interval
    macro_f1: float
    accuracy: float
    published: float = Field(description="Share sure enough to be published unseen.")
    precision: float | None = Field(description="Of the published; None: nothing was.")
    calibration_error: float


class SetFindings(_Finding):
    """Both models on one frozen set."""

    name: str
    rows: int
    digest: str = Field(description="SHA-256 of the set's rows.")
    labels: dict[str, int] = Field(default_factory=dict, description="Rows by whose label it is.")
    by_people: int = Field(default=0, description="Rows that people decided.")
    candidate: FrozenScores
    serving: FrozenScores | None
    difference: Interval | None = Field(description="Weighted F1, candidate minus serving.")
    p_better: float | None

    @property
    def whose(self) -> str:
        """How many of the labels are whose, in words."""
        return ", ".join(f"{count} {origin}" for origin, count in self.labels.items())


class CategoryFindings(_Finding):
    """Both models on one category, over all frozen sets."""

    category: str
    rows: int
    candidate_f1: float
    serving_f1: float | None


class AuditScores(_Finding):
    """One model on audited reviews; each counts one over the chance by which it was drawn."""

    published: float = Field(description="Share of the audited reviews that it publishes unseen.")
    precision: float | None = Field(description="Of those; None: it publishes none.")
    low: float = Field(description="Lower end of the precision's 95% interval (Wilson).")
    high: float = Field(description="Upper end.")
    effective: float = Field(description="Audits of equal weight that would tell as much (Kish).")


class AuditFindings(_Finding):
    """Both models on a random sample of what the serving one published."""

    model: str = Field(description="Version that published what was audited.")
    asked: int = Field(description="Audits of it, decided or not.")
    decided: int = Field(description="Given a category by somebody who did not see the answer.")
    effective: float = Field(description="Audits of equal weight that would tell as much (Kish).")
    digest: str = Field(description="SHA-256 of the decided rows.")
    as_published: AuditScores = Field(description="What really was published.")
    candidate: AuditScores
    serving: AuditScores = Field(description="The serving model, asked again in the same run.")


class Speed(_Finding):
    """Both models on the same texts, in turns, in one process."""

    candidate_ms: float = Field(description="Per review, in the quickest round.")
    serving_ms: float | None
    candidate_bytes: int
    serving_bytes: int | None
    warm_up_ms: float = Field(description="The candidate's very first batch.")


class ModelName(_Finding):
    """Which model is meant."""

    version: str
    name: str
    number: int | None = None

    def __str__(self) -> str:
        return self.version if self.number is None else f"{self.number} ({self.version})"


class GateVerdict(_Finding):
    """All findings, and what follows from them."""

    at: datetime
    candidate: ModelName
    serving: ModelName | None
    checks: tuple[Check, ...]
    sets: tuple[SetFindings, ...] = ()
    """The frozen sets one by one, and last all of them together."""
    categories: tuple[CategoryFindings, ...] = ()
    speed: Speed | None = None
    audits: AuditFindings | None = None
    rules: GateSettings

    @property
    def passed(self) -> bool:
        """Whether the candidate may serve."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Why not, one sentence a failed check; or why, one sentence."""
        failed = [f"{c.name}: {c.found}, wanted {c.wanted}" for c in self.checks if not c.passed]
        if failed:
            return failed
        better = next((c for c in self.checks if c.name == "better"), None)
        return [better.found if better else "all checks passed", *self.cautions]

    @property
    def cautions(self) -> list[str]:
        """What the comparison cannot tell."""
        return [*self._labelled_by(), *self._audited()]

    def _audited(self) -> list[str]:
        found = self.audits
        if found is None:
            return []
        said = f"audits: {found.decided} of {found.asked} that {found.model[:12]} published are decided"
        if found.effective < self.rules.audit_support:
            few = f"nothing is judged by fewer than {self.rules.audit_support} of equal weight"
            return [f"{said}, worth {found.effective:.0f} of equal weight; {few}"]
        seen = "what the candidate would publish besides is in none of them"
        return [f"{said}; {seen}"]

    def _labelled_by(self) -> list[str]:
        *_, everything = self.sets or (None,)
        if everything is None or everything.by_people == everything.rows:
            return []
        return [
            (
                f"people decided {everything.by_people} of the {everything.rows} labels compared on "
                f"({everything.whose}): the others tell how far the models agree with whoever labelled them"
            )
        ]
