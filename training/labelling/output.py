"""Writing labels: one JSON object a review, complete or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from schemas import Category, all_categories
from stream.errors import not_written
from training.data.origins import Origin
from training.errors import DataError
from training.labelling.cascade import PEOPLE
from training.labelling.label_model import UNKNOWN
from training.labelling.prior import Fate
from training.labelling.run import LabellingRun

VALIDATED = "validated"
"""``decided_by`` of a review that a person's label was given for."""


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
        raise not_written(path, error, "name a file in a folder of yours", DataError) from None
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
    review should go to people. Where a person had given the category already, it holds. ``origin``
    says whose label it is, for whoever trains or measures on it.
    """
    given = _given(run)
    for row, item in enumerate(run.items[: run.labelled]):
        guess = all_categories()[run.decisions.category[row]]
        by, confidence = run.decisions.decided_by[row], float(run.decisions.confidence[row])
        if (known := given.get(item.normalized)) is not None:
            guess, by, confidence = known, VALIDATED, 1.0
        yield {
            "id": item.id,
            "text": item.text,
            "category": None if by == PEOPLE else guess.slug,
            "guess": guess.slug,
            "confidence": round(confidence, 4),
            "decided_by": by,
            "origin": _origin(by, run.llm_name),
            "reasons": _reasons(run, row, guess),
        }


def left_to_people(run: LabellingRun) -> int:
    """Return how many of :func:`label_rows` have no category."""
    given = _given(run)
    reviews = zip(run.items[: run.labelled], run.decisions.open[: run.labelled], strict=True)
    return sum(is_open and item.normalized not in given for item, is_open in reviews)


def _given(run: LabellingRun) -> dict[str, Category]:
    """Return the categories that people had given, by normalised text."""
    return {
        run.items[row].normalized: all_categories()[run.known[row]]
        for row in map(int, np.flatnonzero(run.known != UNKNOWN))
    }


def _origin(by: str, llm: str | None) -> Origin | None:
    """Return whose label it is; None where there is none."""
    if by == PEOPLE:
        return None
    if by == VALIDATED:
        return Origin.PERSON
    return Origin.LLM if by == llm else Origin.ENSEMBLE


def _reasons(run: LabellingRun, row: int, guess: Category) -> dict[str, str]:
    """Say why each labeller voted, and for what, if that is not what the review is given."""
    reasons = {}
    for name, vote in run.votes.items():
        said = int(vote.choices[row])
        if said < 0:
            continue
        reason = vote.reasons[row]
        if said != guess.id:
            fate = run.cascade.prior.fates[said]
            dropped = f", which is {fate.why}" if fate.fate is Fate.DROPPED else ""
            reason = f"for {fate.category.info.name('en')}{dropped}: {reason}"
        reasons[name] = reason
    return reasons
