"""Frozen sets: labelled texts on which models are compared, and on which none was trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stream.settings import BUNDLED_HELDOUT
from training.data.dataset import Dataset, join, read_test_dataset
from training.data.unstated import PERSON_ASSUMED, Unstated

CANARIES: Final = Path(__file__).with_name("canaries.jsonl")
"""Texts about which there can be no doubt, three a category, written for this project."""
ALL: Final = "all sets"


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """A named set of labelled texts."""

    name: str
    rows: Dataset


def read_frozen(paths: Iterable[Path], unstated: Unstated = PERSON_ASSUMED) -> list[FrozenSet]:
    """Read labelled files; the bundled held-out reviews if none is named.

    Args:
        paths: of the files.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: one is absent, empty, a row has no known category, or a program guessed it.
    """
    sets = []
    for path in tuple(paths) or (BUNDLED_HELDOUT,):
        rows = read_test_dataset(path, unstated)
        sets.append(FrozenSet(path.stem, rows))
    return sets


def together(sets: list[FrozenSet]) -> FrozenSet:
    """Put all sets into one."""
    return FrozenSet(ALL, join(*(frozen.rows for frozen in sets)))
