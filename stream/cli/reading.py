"""Options of commands that read people's files: which column is what, and how the file is made."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

if TYPE_CHECKING:
    from stream.files import Options

FileFormat = Annotated[
    str,
    typer.Option("--format", help="auto, csv, json, jsonl, lines, excel or parquet."),
]
TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--text-column",
        help="Column or field with the text, by name or number; several are joined.",
        show_default=False,
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option("--id-column", help="Column or field with the id.", show_default=False),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label-column", help="Column or field with the category.", show_default=False),
]
FileEncoding = Annotated[
    str | None,
    typer.Option(
        "--encoding", help="Of the file, as cp1251; else it is found out.", show_default=False
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        help="Between columns, as ; or tab; else it is found out.",
        show_default=False,
    ),
]
SheetName = Annotated[
    str | None,
    typer.Option("--sheet", help="Of a workbook; else the first with texts.", show_default=False),
]
_OPTIONS: Final[dict[str, Any]] = {
    "text_column": TextColumns,
    "id_column": IdColumn,
    "label_column": LabelColumn,
    "encoding": FileEncoding,
    "delimiter": Delimiter,
    "sheet": SheetName,
}


def reading(
    file_format: str = "auto",
    text_column: list[str] | None = None,
    id_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Options:
    """Return what somebody said of a file.

    Raises:
        InputError: there is no such format.
    """
    from stream.files import Options, Wanted, format_of

    wanted = Wanted(tuple(text_column or ()), id_column, label_column)
    return Options(format_of(file_format), wanted, encoding, delimiter, sheet)


def reads_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of files; it gets them as one argument, ``reading_as``."""
    # The reader itself is loaded when a command runs, not for its help.
    hints = get_type_hints(command, localns={"Options": object}, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "reading_as"
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        said = {name: given.pop(name, None) for name in _OPTIONS}
        command(**given, reading_as=reading(**said))

    signature = inspect.Signature(
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + added
    )
    vars(with_options)["__signature__"] = signature
    with_options.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
    del with_options.__wrapped__  # the signature is another
    return with_options
