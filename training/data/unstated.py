"""Labels of files that do not say who decided: what is assumed of them is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.origins import Origin


def _nobody(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Unstated:
    """Who is taken to have decided where a file does not say.

    Attributes:
        origin: of such rows.
        tell: is told once a file, in one line.
    """

    origin: Origin = Origin.PERSON
    tell: Callable[[str], None] = _nobody

    def said_of(self, path: Path, count: int) -> None:
        """Say what is assumed of so many rows of a file."""
        if count:
            self.tell(
                f"{path} does not say who decided {count} of its labels: they are taken as origin "
                f"`{self.origin}` (rows that {self.origin.description}); --labels-by says otherwise"
            )


PERSON_ASSUMED: Final = Unstated()
"""People make files of labels by hand; programs of ours say in theirs that they did it."""
