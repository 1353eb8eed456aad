"""Decisions as files: CSV for a spreadsheet, JSON lines for a program, Label Studio's JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import structlog

from schemas import Label, highest
from stream.files.spreadsheet import SafeWriter
from stream.files.table_back import MARK
from stream.queue.label_studio import annotated_task
from stream.queue.label_topic import ReadLabels, read_labels
from stream.settings import Settings

Format = Literal["csv", "excel", "jsonl", "label-studio"]
"""``excel`` is CSV as Russian Excel opens it: with a mark, semicolons, decimal commas."""
COLUMNS: Final = (
    "review_id", "text", "category", "decided_by", "labeller", "decided_at", "revision",
    "shown_blind", "confidence", "codebook_version", "model_version", "note",
)  # fmt: skip
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "excel": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "label-studio": "application/json",
}
_ROWS_A_PART: Final = 500

_log = structlog.get_logger(__name__)


async def standing_labels(settings: Settings) -> list[Label]:
    """Return the decision that holds for every review, as Kafka has it now, by review id.

    Withdrawn ones are left out. What breaks the contract is too, and the log says how much that is.

    Raises:
        BrokerError: Kafka cannot be read.
        TopicMissing: there is no topic of labels.
    """
    read = await read_labels(settings)
    if read.unreadable:
        _log.warning("unreadable_labels_left_out", count=read.unreadable)
    return standing_of(read)


def standing_of(read: ReadLabels) -> list[Label]:
    """Return the decision that holds for every review, by review id; see :mod:`schemas.standing`."""
    return [label for _, label in sorted(highest(read.labels).items()) if not label.withdrawn]


def written(labels: Iterable[Label], form: Format) -> Iterator[str]:
    """Yield a file's content, part by part."""
    if form in {"csv", "excel"}:
        yield from _csv(labels, russian=form == "excel")
    elif form == "jsonl":
        for label in labels:
            yield label.model_dump_json() + "\n"
    else:
        yield "["
        for number, label in enumerate(labels):
            task = json.dumps(annotated_task(label), ensure_ascii=False)
            yield (",\n" if number else "\n") + task
        yield "\n]\n"


def _csv(labels: Iterable[Label], *, russian: bool) -> Iterator[str]:
    buffer = io.StringIO()
    if russian:
        buffer.write(MARK)
    writer = SafeWriter(buffer, ";" if russian else ",")
    writer.writerow(COLUMNS)
    for number, label in enumerate(labels, 1):
        row: dict[str, Any] = label.model_dump(mode="json")
        if russian and label.confidence is not None:
            row["confidence"] = str(label.confidence).replace(".", ",")
        writer.writerow(row[column] for column in COLUMNS)
        if number % _ROWS_A_PART == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
