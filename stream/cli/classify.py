"""`reviews classify`: a file through the model, without Kafka or Redis."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from stream.cli.console import err, note
from stream.cli.options import settings_from
from stream.cli.outputs import Force, require_new_file
from stream.cli.reading import (
    Delimiter,
    FileEncoding,
    FileFormat,
    IdColumn,
    TextColumns,
    reading,
)
from stream.cli.rows import ModelFolder, Rows, progress_over

if TYPE_CHECKING:
    from stream.classifier import Classifier
    from stream.settings import ModelSettings

# Enough rows that sorting them by length saves most padding, few enough to show progress.
_BLOCK = 1024


def classify(
    file: Annotated[Path, typer.Argument(metavar="INPUT", help="CSV with id,text, or JSON lines.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON lines; - for output.")],
    model: ModelFolder = None,
    file_format: FileFormat = "auto",
    text_column: TextColumns = None,
    id_column: IdColumn = None,
    encoding: FileEncoding = None,
    delimiter: Delimiter = None,
    force: Force = False,
) -> None:
    """Classify a file offline, with the same preprocessing, model and thresholds as the worker.

    One JSON object a row, in order: review_id, category, confidence, and route, which is category
    or relabel. A row that cannot be read is left out and named; the exit code is then 1.
    """
    section = {"model": {"folder": model}} if model is not None else {}
    settings = settings_from(None, None, **section)
    rows = Rows(file, reading(file_format, text_column, id_column, None, encoding, delimiter))
    require_new_file(output, force=force)
    rows.check()
    classifier = _load(settings.model)
    relabel = total = 0
    with _opened(output) as target, progress_over(rows, "classifying") as progress:
        for line in _classified(classifier, rows):
            total += 1
            relabel += line["route"] == "relabel"
            target.write(json.dumps(line, ensure_ascii=False) + "\n")
            progress.update(progress.task_ids[0], completed=rows.bytes_read, done=total)
    share = relabel / total if total else 0.0
    note(
        f"{total:,} reviews classified by model {classifier.version}, "
        f"{relabel:,} ({share:.1%}) for relabelling"
    )
    rows.exit_if_any_left_out()


def _load(model: ModelSettings) -> Classifier:
    with err.status("loading the model"):
        from stream.classifier import Classifier

        return Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)


def _classified(classifier: Classifier, rows: Rows) -> Iterator[dict[str, object]]:
    from schemas import all_categories
    from stream.text import normalize

    source = iter(rows)
    while block := list(islice(source, _BLOCK)):
        predictions = classifier.classify([normalize(row.text) for _, row in block])
        best = predictions.probabilities.argmax(axis=1)
        for i, (review_id, _) in enumerate(block):
            yield {
                "review_id": review_id,
                "category": all_categories()[best[i]].slug,
                "confidence": round(float(predictions.probabilities[i, best[i]]), 6),
                "route": "category" if predictions.sure[i] else "relabel",
            }


@contextmanager
def _opened(output: Path) -> Iterator[TextIO]:
    """Open the output. A file appears under its name only once it is complete."""
    from stream.errors import InputError

    if output == Path("-"):
        yield sys.stdout
        return
    special = output.exists() and not output.is_file()  # a device or a pipe
    part = output if special else output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        file = part.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{output} cannot be written: {error.strerror}", "name a file in a folder of yours"
        ) from None
    try:
        with file:
            yield file
        if not special:
            part.replace(output)
    except BaseException:
        if not special:
            part.unlink(missing_ok=True)
        raise
