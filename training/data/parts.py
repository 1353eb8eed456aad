"""Labelled files that come with a taxonomy: examples to learn from, and others to measure on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from schemas import active_taxonomy
from training.errors import DataError

EXAMPLES: Final = "examples.jsonl"
HELD_OUT: Final = "heldout.jsonl"
DEMO: Final = "demo.jsonl"


def held_out_files() -> list[Path]:
    """Return the taxonomy's files that nothing may be trained on; a taxonomy may have none."""
    parts = (active_taxonomy().part(name) for name in (HELD_OUT, DEMO))
    return [path for path in parts if path is not None]


def examples_file() -> Path:
    """Return the taxonomy's examples to learn from.

    Raises:
        DataError: it has none.
    """
    return _required(EXAMPLES, "name a file of labelled reviews")


def held_out_file() -> Path:
    """Return the taxonomy's examples to measure on.

    Raises:
        DataError: it has none.
    """
    return _required(
        HELD_OUT,
        "name a labelled file that nothing is trained on (REVIEWS_LEARNING__FROZEN for retraining), or put "
        "one there under this name",
    )


def _required(name: str, remedy: str) -> Path:
    taxonomy = active_taxonomy()
    path = taxonomy.part(name)
    if path is None:
        raise DataError(f"the taxonomy {taxonomy.name!r} has no {name}", remedy)
    return path
