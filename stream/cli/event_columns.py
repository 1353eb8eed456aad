"""Fields of events as columns, for `reviews consume --columns`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas import CategorizedReview, RelabelTask
from stream.categories import title
from stream.terminal import one_line

Value = Callable[[Any], object]


def _best(task: RelabelTask) -> Any:
    return max(task.probabilities, key=lambda category: task.probabilities[category])


_DECIDED: Final[Mapping[str, Value]] = {
    "id": lambda event: event.review.review_id,
    "slug": lambda event: event.category,
    "category": lambda event: title(event.category),
    "confidence": lambda event: f"{event.confidence:.4f}",
    "decided-by": lambda event: event.decided_by,
    "revision": lambda event: event.revision,
    "time": lambda event: event.decided_at.isoformat(),
    "model": lambda event: event.model_version or "",
    "source": lambda event: event.source or "",
    "text": lambda event: event.review.text,
}
_TASKS: Final[Mapping[str, Value]] = {
    "id": lambda task: task.review.review_id,
    "slug": _best,
    "category": lambda task: title(_best(task)),
    "confidence": lambda task: f"{max(task.probabilities.values()):.4f}",
    "threshold": lambda task: f"{task.threshold:.4f}",
    "reason": lambda task: task.strange or task.reason,
    "time": lambda task: task.queued_at.isoformat(),
    "model": lambda task: task.model_version,
    "source": lambda task: task.source,
    "text": lambda task: task.review.text,
}
_DEAD: Final[Mapping[str, Value]] = {
    "id": lambda letter: (letter.key or b"").decode("utf-8", "replace"),
    "reason": lambda letter: letter.reason.code,
    "message": lambda letter: letter.reason.message,
    "source": lambda letter: letter.reason.source,
    "position": lambda letter: letter.position,
    "text": lambda letter: (letter.value or b"").decode("utf-8", "replace"),
}


def columns_of(event: Any) -> Mapping[str, Value]:
    """Return the columns that an event has, by name."""
    if isinstance(event, CategorizedReview):
        return _DECIDED
    return _TASKS if isinstance(event, RelabelTask) else _DEAD


def known_columns(*, relabel: bool, dead_letter: bool) -> list[str]:
    """Return the names of the columns of what is read."""
    return list(_TASKS if relabel else _DEAD if dead_letter else _DECIDED)


def row(event: Any, names: list[str]) -> str:
    """Return one line: the columns' values, parted by tabs, none of which holds a tab or a line end."""
    columns = columns_of(event)
    return "\t".join(one_line(str(columns[name](event))) for name in names)
