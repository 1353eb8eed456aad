"""Label Studio's JSON: tasks with predictions going out, annotations coming back.

The format is the one of Label Studio's import and export pages (a list of tasks with ``data``,
``predictions`` and ``annotations``; also its flat JSON-MIN). The labelling interface it expects is
:func:`interface`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from schemas import Category, Label, RelabelTask, all_categories, category_count
from schemas.events import ReviewId
from stream.errors import InputError
from stream.queue.item import text_print

CANNOT_TELL: Final = "cannot-tell"
_KEYS: Final = 9
_MOST_SECONDS: Final = 3600
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
    """Read an export of Label Studio, JSON or JSON-MIN.

    Returns:
        The annotations, one per task (the latest), and how many tasks held none that we understand.

    Raises:
        InputError: it is no such export at all.
    """
    try:
        tasks = json.loads(content)
    except ValueError as error:
        raise InputError(f"the file is not JSON: {error}", "export as JSON or JSON-MIN") from None
    except RecursionError:
        raise InputError("the file is nested too deeply", "export as JSON or JSON-MIN") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError("the file is not a list of tasks", "export as JSON or JSON-MIN")
    found = [annotation for task in tasks if (annotation := _annotation(task)) is not None]
    return found, len(tasks) - len(found)


def _annotation(task: dict[str, Any]) -> Annotation | None:
    data = task.get("data", task)
    review_id = _review_id(data.get("review_id")) if isinstance(data, dict) else None
    if review_id is None:
        return None
    choice, seconds = _latest_choice(task)
    if choice != CANNOT_TELL and choice not in set(all_categories()):
        return None
    text = data.get("text")
    return Annotation(
        review_id=review_id,
        category=None if choice == CANNOT_TELL else Category(choice),
        print=text_print(text) if isinstance(text, str) else None,
        seconds=seconds,
    )


def _latest_choice(task: dict[str, Any]) -> tuple[str, float | None]:
    if "annotations" not in task:  # JSON-MIN
        choice = task.get("category", "")
        return (choice if isinstance(choice, str) else ""), _seconds(task.get("lead_time"))
    annotations = [a for a in _dicts(task["annotations"]) if not a.get("was_cancelled")]
    for annotation in sorted(annotations, key=_created_at, reverse=True):
        for result in _dicts(annotation.get("result")):
            value = result.get("value")
            choices = value.get("choices") if isinstance(value, dict) else None
            if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], str):
                return choices[0], _seconds(annotation.get("lead_time"))
    return "", None


def _dicts(value: Any) -> Sequence[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _review_id(value: Any) -> str | None:
    try:
        return _REVIEW_ID.validate_python(value, strict=True)
    except ValidationError:
        return None


def _created_at(annotation: dict[str, Any]) -> str:
    found = annotation.get("created_at")
    return found if isinstance(found, str) else ""


def _seconds(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared before it is converted: a whole number may have more digits than any float.
    return float(min(value, _MOST_SECONDS)) if number and value >= 0 else None


def _data(review_id: str, text: str) -> dict[str, str]:
    return {"text": text, "review_id": review_id}


def _choice(category: Category | None) -> dict[str, Any]:
    return {
        "from_name": "category",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [category.slug if category else CANNOT_TELL]},
    }
