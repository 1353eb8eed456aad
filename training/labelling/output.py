"""Writing labels: one JSON object a review, complete or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from schemas import CATEGORIES
from training.errors import DataError
from training.labelling.cascade import PEOPLE
from training.labelling.label_model import UNKNOWN
from training.labelling.run import LabellingRun

VALIDATED = "validated"


@contextmanager
def complete_file(path: Path) -> Iterator[TextIO]:
    """Yield a file that appears under its name once all of it is written.

    Raises:
        DataError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(
            f"{path} cannot be written: {error.strerror}", "name a file in a folder of yours"
        ) from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines.

    Raises:
        DataError: the file cannot be written.
    """
    with complete_file(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def label_rows(run: LabellingRun) -> Iterator[dict[str, Any]]:
    """Yield a row for each review, in the order of the input.

    ``category`` is null where nobody was sure enough: ``guess`` then holds the best guess, and the
    review should go to people. Where a person had given the category already, it holds.
    """
    for row, item in enumerate(run.items[: run.labelled]):
        guess = CATEGORIES[run.decisions.category[row]]
        by, confidence = run.decisions.decided_by[row], float(run.decisions.confidence[row])
        if run.known[row] != UNKNOWN:
            guess, by, confidence = CATEGORIES[run.known[row]], VALIDATED, 1.0
        yield {
            "id": item.id,
            "text": item.text,
            "category": None if by == PEOPLE else guess.value,
            "guess": guess.value,
            "confidence": round(confidence, 4),
            "decided_by": by,
            "reasons": _reasons(run, row),
        }


def _reasons(run: LabellingRun, row: int) -> dict[str, str]:
    return {name: vote.reasons[row] for name, vote in run.votes.items() if not vote.abstained[row]}
