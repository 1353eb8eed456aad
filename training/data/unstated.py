"""Labels of files that do not say who decided: what is assumed of them is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.files import Options
from training.data.origins import Origin


def _nobody(_line: str) -> None:
    """Tell nobody."""


_ANYTHING: Final = Options()


@dataclass(frozen=True, slots=True)
class Unstated:
    """What a file does not say: who decided; and what somebody said of it besides.

    Attributes:
        origin: of rows that do not say who decided.
        tell: is told, line by line, what a file was understood as, what was assumed and what was left
            out.
        options: how it is made, as far as somebody said.
        sold: the column that says what was sold; None where no evidence is made of it.
    """

    origin: Origin = Origin.PERSON
    tell: Callable[[str], None] = _nobody
    options: Options = _ANYTHING
    sold: str | None = None

    @property
    def tells(self) -> bool:
        """Whether anybody is told; if not, what should be told is an error."""
        return self.tell is not _nobody

    def said_of(self, path: Path, count: int) -> None:
        """Say what is assumed of so many rows of a file."""
        if count:
            self.tell(
                f"{path} does not say who decided {count} of its labels: they are taken as origin "
                f"`{self.origin}` (rows that {self.origin.description}); --labels-by says otherwise"
            )


PERSON_ASSUMED: Final = Unstated()
"""People make files of labels by hand; programs of ours say in theirs that they did it."""
