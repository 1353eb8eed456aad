"""Frozen sets: labelled texts on which models are compared, and on which none was trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data.dataset import Dataset, join, read_test_dataset
from training.data.parts import held_out_file
from training.data.unstated import PERSON_ASSUMED, Unstated

CANARIES: Final = "canaries.jsonl"
"""A part of the taxonomy: texts about which there can be no doubt, some a category."""
ALL: Final = "all sets"


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """A named set of labelled texts."""

    name: str
    rows: Dataset


def read_frozen(paths: Iterable[Path], unstated: Unstated = PERSON_ASSUMED) -> list[FrozenSet]:
    """Read labelled files; the taxonomy's held-out ones if none is named.

    Args:
        paths: of the files.
        unstated: what is assumed of rows that do not say who decided.

    Raises:
        DataError: one is absent, empty, a row has no known category, or a program guessed it.
    """
    sets = []
    for path in tuple(paths) or (held_out_file(),):
        rows = read_test_dataset(path, unstated)
        sets.append(FrozenSet(path.stem, rows))
    return sets


def together(sets: list[FrozenSet]) -> FrozenSet:
    """Put all sets into one."""
    return FrozenSet(ALL, join(*(frozen.rows for frozen in sets)))
