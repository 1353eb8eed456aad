"""`reviews classify`: a file through the model, without Kafka or Redis."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from stream.cli.console import err, note
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import settings_from
from stream.cli.outputs import Force, require_new_file
from stream.cli.reading import (
    Delimiter,
    FileEncoding,
    IdColumn,
    SheetName,
    TextColumns,
    reading,
)
from stream.cli.rows import ModelFolder, Rows, progress_over

if TYPE_CHECKING:
    from stream.files import BadRow, ReviewRow
    from stream.files.table_back import OutputForm, RowDecision, TableWriter
    from stream.model.classifier import Classifier
    from stream.settings import ModelSettings

# Enough rows that sorting them by length saves most padding, few enough to show progress.
_BLOCK: Final = 1024
_EXCEL: Final = "excel"
_UNSURE: Final = "low-confidence"
_Row: TypeAlias = "tuple[Mapping[str, Any], str, RowDecision]"


def classify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="CSV, xlsx, ods, JSON or lines of text, packed or not; - for input.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Table of the same rows: .csv, .xlsx or JSON lines; - for output.",
        ),
    ],
    model: ModelFolder = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of the input: auto, csv, json, jsonl, lines or parquet. Or excel: the output is "
            "CSV that Russian Excel opens right.",
        ),
    ] = "auto",
    text_column: TextColumns = None,
    id_column: IdColumn = None,
    encoding: FileEncoding = None,
    delimiter: Delimiter = None,
    sheet: SheetName = None,
    force: Force = False,
) -> None:
    """Classify a file offline, with the same preprocessing, model and thresholds as the worker.

    All rows and columns come back in order, with category, category_name, confidence, route
    (category, relabel or left-out) and reason beside them. A row that is no review is marked, named
    and counted; the exit code is then 1, if it is more than a row without words.
    """
    from stream.files.table_back import LEFT_OUT, output_form

    section = {"model": {"folder": model}} if model is not None else {}
    settings = settings_from(None, None, **section)
    for_excel = file_format == _EXCEL
    form = output_form(output, _EXCEL if for_excel and output.suffix.lower() != ".xlsx" else None)
    options = reading(
        "auto" if for_excel else file_format,
        text_column,
        id_column,
        None,
        encoding,
        delimiter,
        sheet,
    )
    rows = Rows(file, options)
    require_new_file(output, force=force)
    relabel = total = 0

    def what_is_left() -> str:
        if output == Path("-") or (output.exists() and not output.is_file()):
            return f"{total:,} reviews were classified and written; run it again for all of them"
        return (
            f"{total:,} reviews were classified, and nothing was written to {output}; run it again"
        )

    with told_if_interrupted(what_is_left):
        rows.check()
        classifier = _load(settings.model)
        with progress_over(rows, "classifying") as progress, closing(rows.every()) as every:
            blocks = _classified(classifier, rows, every)
            first = next(blocks, [])
            with _opened(output, form, rows.names) as table:
                for block in chain([first], blocks):
                    for fields, review_id, decision in block:
                        total += decision.route != LEFT_OUT
                        relabel += decision.route == "relabel"
                        table.write(fields, review_id, decision)
                    progress.update(progress.task_ids[0], completed=rows.bytes_read, done=total)
    share = relabel / total if total else 0.0
    note(
        f"{total:,} reviews classified by model {classifier.version}, "
        f"{relabel:,} ({share:.1%}) for relabelling"
    )
    rows.exit_if_any_left_out(words_needed=False)


def _load(model: ModelSettings) -> Classifier:
    with err.status("loading the model"):
        from stream.model.classifier import Classifier

        return Classifier.load(model.folder, model.device, model.threads, model.chunk_tokens)


def _classified(
    classifier: Classifier, rows: Rows, every: Iterator[ReviewRow | BadRow]
) -> Iterator[list[_Row]]:
    """Yield blocks of rows in their order, each with what is said of it."""
    from stream.files import BadRow, IdDeriver
    from stream.files.table_back import LEFT_OUT, RowDecision

    ids = IdDeriver()
    while block := list(islice(every, _BLOCK)):
        # What would not be taken as an event has no answer here either.
        block = [row if isinstance(row, BadRow) else row.refused_text() or row for row in block]
        decisions = _decided(classifier, [row for row in block if not isinstance(row, BadRow)])
        found: list[_Row] = []
        for row in block:
            if isinstance(row, BadRow):
                rows.leave_out(row)
                found.append((row.fields, "", RowDecision("", "", None, LEFT_OUT, row.problem)))
            else:
                found.append((row.fields, ids.id_of(row), next(decisions)))
        yield found


def _decided(classifier: Classifier, rows: list[ReviewRow]) -> Iterator[RowDecision]:
    from schemas import active_taxonomy, all_categories
    from stream.files.table_back import RowDecision
    from stream.text import normalize

    if not rows:
        return
    predictions = classifier.classify([normalize(row.text) for row in rows])
    categories, language = all_categories(), active_taxonomy().languages[0]
    for i, best in enumerate(predictions.probabilities.argmax(axis=1)):
        is_sure = bool(predictions.sure[i])
        yield RowDecision(
            categories[best].slug,
            categories[best].info.name(language),
            round(float(predictions.probabilities[i, best]), 6),
            "category" if is_sure else "relabel",
            "" if is_sure else predictions.strange.get(i, _UNSURE),
        )


@contextmanager
def _opened(output: Path, form: OutputForm, names: Sequence[str]) -> Iterator[TableWriter]:
    """Open the output. A file appears under its name only once it is complete."""
    from stream.errors import not_written
    from stream.files.table_back import table_writer

    if output == Path("-"):
        with table_writer(output, sys.stdout, form, names) as table:
            yield table
        return
    special = output.exists() and not output.is_file()  # a device or a pipe
    part = output if special else output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        file = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise not_written(output, error, "name a file in a folder of yours") from None
    try:
        with file, table_writer(part, file, form, names) as table:
            yield table
        if not special:
            part.replace(output)
    except BaseException:
        if not special:
            part.unlink(missing_ok=True)
        raise
