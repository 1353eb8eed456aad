"""What the registry writes down: versions that never change, and a history that only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"

Name = Literal["champion", "challenger"]
Action = Literal["added", "promoted", "rolled-back", "challenger", "passed", "refused"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class VersionRecord(_Record):
    """One stored model. Written once."""

    number: int = Field(ge=1, description="Never given twice.")
    version: str = Field(description="Content digest of the model: the manifest's own version.")
    manifest_digest: str = Field(description="SHA-256 of manifest.json, hexadecimal.")
    name: str
    family: str
    added_at: datetime
    added_by: str
    why: str = ""
    size_bytes: int = Field(description="Of what runs on the CPU: the graph, or both of a cascade.")
    metrics: dict[str, float] = Field(default_factory=dict, description="The manifest's own.")
    training_digest: str = ""
    lineage: dict[str, Any] = Field(
        default_factory=dict, description="Which labels and files it was trained on."
    )


class HistoryEntry(_Record):
    """One entry of the history."""

    at: datetime
    by: str
    action: Action
    number: int
    previous: int | None = Field(default=None, description="Champion before, if that changed.")
    why: str = ""
    despite_gate: str = Field(
        default="", description="Why a version was promoted that the gate had refused."
    )


class State(_Record):
    """Everything in the registry but the models themselves (``registry.json``)."""

    format: Literal[1] = 1
    versions: tuple[VersionRecord, ...] = ()
    champion: int | None = None
    challenger: int | None = None
    history: tuple[HistoryEntry, ...] = ()

    def find(self, number: int) -> VersionRecord | None:
        """Return the version of a number, if there is one."""
        return next((v for v in self.versions if v.number == number), None)

    def verdict(self, number: int) -> HistoryEntry | None:
        """Return what the gate said of a version last; None: it was not asked.

        >>> at = datetime.now(UTC)
        >>> said = [("added", 1), ("refused", 1), ("promoted", 1), ("added", 2)]
        >>> state = State(history=tuple(HistoryEntry(at=at, by="", action=a, number=n) for a, n in said))
        >>> state.verdict(1).action, state.verdict(2)
        ('refused', None)
        """
        said = (c for c in reversed(self.history) if c.number == number)
        return next((c for c in said if c.action in {"passed", "refused"}), None)

    @property
    def next_number(self) -> int:
        """The number that the next version gets."""
        return max((v.number for v in self.versions), default=0) + 1

    def former_champions(self) -> list[int]:
        """Return who was champion before, the latest first, without today's.

        A rollback takes the version it left out of the line: rolling back twice goes two versions
        back, and does not swing between two.

        >>> at = datetime.now(UTC)
        >>> steps = [("promoted", 1, None), ("promoted", 2, 1), ("promoted", 3, 2)]
        >>> changes = [HistoryEntry(at=at, by="", action=a, number=n, previous=p) for a, n, p in steps]
        >>> State(champion=3, history=tuple(changes)).former_champions()
        [2, 1]
        >>> back = HistoryEntry(at=at, by="", action="rolled-back", number=2, previous=3)
        >>> State(champion=2, history=(*changes, back)).former_champions()
        [1]
        """
        line: list[int] = []
        for change in self.history:
            if change.action == "promoted":
                line = [n for n in line if n != change.number] + [change.number]
            elif change.action == "rolled-back":
                while line and line[-1] != change.number:
                    line.pop()
        return [n for n in reversed(line) if n != self.champion]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
