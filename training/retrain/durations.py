"""How long a retraining will take, by what earlier ones took here."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, BaseModel, FiniteFloat

from training.registry.files import write_atomically

FILE: Final = "run.json"


class Duration(BaseModel):
    """What one retraining took, from the labels to the verdict."""

    family: str
    rows: int
    """Texts that were trained on."""
    seconds: FiniteFloat
    finished_at: AwareDatetime


def keep_duration(folder: Path, family: str, rows: int, seconds: float) -> None:
    """Note in a run's folder what it took."""
    taken = Duration(family=family, rows=rows, seconds=seconds, finished_at=datetime.now(UTC))
    write_atomically(folder / FILE, taken.model_dump_json() + "\n")


def expected_seconds(runs: Path, family: str, rows: int) -> tuple[float, Duration] | None:
    """Return how long a training on so many texts will take, and by which run that is told.

    The newest run of the family, in proportion to its texts. None: there was none here yet.
    """
    found: list[Duration] = []
    for path in runs.glob(f"*/{FILE}"):
        with suppress(OSError, ValueError):  # damaged, or of somebody else
            found.append(Duration.model_validate_json(path.read_text(encoding="utf-8")))
    alike = [taken for taken in found if taken.family == family and taken.rows > 0]
    if not alike:
        return None
    newest = max(alike, key=lambda taken: taken.finished_at)
    return newest.seconds * rows / newest.rows, newest
