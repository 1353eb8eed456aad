"""Label Studio's JSON: tasks with predictions going out; annotations of any tool coming back.

The format is the one of Label Studio's import and export pages (a list of tasks with ``data``,
``predictions`` and ``annotations``). What comes back is read as any file of labels is. The labelling
interface it expects is :func:`interface`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas import Category, Label, RelabelTask, all_categories, category_count
from schemas.events import ReviewId
from stream.errors import InputError
from stream.files import BadRow, Options, Wanted
from stream.files.container import is_packed
from stream.files.labels import LabelRow, label_rows, open_labels
from stream.files.table import NothingInside, Table
from stream.queue.item import text_print

CANNOT_TELL: Final = "cannot-tell"
_KEYS: Final = 9
_MOST_SECONDS: Final = 3600.0
_READING: Final = Options(wanted=Wanted(needs_text=False))
_REVIEW_ID: Final[TypeAdapter[str]] = TypeAdapter(ReviewId)


def interface() -> str:
    """Return the labelling interface for a Label Studio project, to be pasted under Settings.

    Above many categories a field filters by what is typed.
    """
    keys = [f' hotkey="{c.id + 1}"' if c.id < _KEYS else "" for c in all_categories()]
    return "\n".join(
        [
            "<View>",
            '  <Text name="text" value="$text"/>',
            *(
                ['  <Filter toName="category" minlength="0" name="filter"/>']
                if category_count() > _KEYS
                else []
            ),
            '  <Choices name="category" toName="text" choice="single" required="true">',
            *[
                f'    <Choice value="{category.slug}"{key}/>'
                for category, key in zip(all_categories(), keys, strict=True)
            ],
            f'    <Choice value="{CANNOT_TELL}"/>',
            "  </Choices>",
            "</View>",
        ]
    )


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated task."""

    review_id: str
    category: Category | None
    """None: cannot tell."""
    print: str | None
    """Fingerprint of the text that was annotated, if the task carried it."""
    seconds: float | None


def open_task(task: RelabelTask, *, blind: bool) -> dict[str, Any]:
    """Return a waiting review as a task, with the model's guess unless it is to be kept back."""
    found: dict[str, Any] = {"data": _data(task.review.review_id, task.review.text)}
    if not blind and task.probabilities:
        best = max(task.probabilities, key=lambda c: task.probabilities[c])
        found["predictions"] = [
            {
                "model_version": task.model_version,
                "score": task.probabilities[best],
                "result": [_choice(best)],
            }
        ]
    return found


def annotated_task(label: Label) -> dict[str, Any]:
    """Return a decided review as an annotated task."""
    return {
        "data": _data(label.review_id, label.text),
        "annotations": [
            {
                "completed_by": {"email": label.labeller},
                "created_at": label.decided_at.isoformat(),
                "was_cancelled": False,
                "ground_truth": False,
                "result": [_choice(label.category)],
            }
        ],
    }


def read_annotations(content: bytes) -> tuple[list[Annotation], int]:
    """Read an upload: an export of Label Studio or of another tool, as text.

    Returns:
        The annotations, one per record, and how many records held none that we understand.

    Raises:
        InputError: it is no such export at all, or packed: a stranger's upload is not unpacked here.
    """
    if is_packed(content):
        raise InputError("the file is packed or a workbook", "send JSON, JSON lines or CSV")
    with open_labels(Path("the file"), _READING, BytesIO(content)) as table:
        return _annotations_in(table)


def read_annotation_file(path: Path, options: Options) -> tuple[list[Annotation], int, str]:
    """Read a file of annotations: as :func:`read_annotations`, and what it was understood as.

    Raises:
        InputError: it is absent or no such file at all.
    """
    wanted = replace(options.wanted, needs_text=False)
    try:
        with open_labels(path, replace(options, wanted=wanted)) as table:
            return (*_annotations_in(table), table.said_of_labels)
    except NothingInside:  # an export before anybody annotated
        return [], 0, "an empty list"


def _annotations_in(table: Table) -> tuple[list[Annotation], int]:
    if not table.columns.label and not table.columns.id:
        raise InputError("the file holds no annotations", "export as JSON, JSON-MIN or CSV")
    found, not_read = [], 0
    for row in label_rows(table):
        annotation = None if isinstance(row, BadRow) else _annotation(row)
        if annotation is None:
            not_read += 1
        else:
            found.append(annotation)
    return found, not_read


def _annotation(row: LabelRow) -> Annotation | None:
    review_id = _review_id(row.review_id)
    if review_id is None:
        return None
    category = None if row.said == (CANNOT_TELL,) else row.category()
    if isinstance(category, BadRow):
        return None
    return Annotation(
        review_id=review_id,
        category=category,
        print=text_print(row.text) if row.text else None,
        seconds=_seconds(row.fields.get("lead_time")),
    )


def _review_id(value: Any) -> str | None:
    try:
        return _REVIEW_ID.validate_python(value, strict=True)
    except ValidationError:
        return None


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return min(seconds, _MOST_SECONDS) if seconds >= 0 else None


def _data(review_id: str, text: str) -> dict[str, str]:
    return {"text": text, "review_id": review_id}


def _choice(category: Category | None) -> dict[str, Any]:
    return {
        "from_name": "category",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [category.slug if category else CANNOT_TELL]},
    }
