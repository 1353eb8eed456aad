"""The option that says who decided in files of labels that do not say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import note
from training.data.origins import Origin

if TYPE_CHECKING:
    from stream.files import Options
    from training.data.unstated import Unstated

LabelsBy = Annotated[
    Origin | None,
    typer.Option(
        "--labels-by",
        help="Who decided in files that do not say; else a person is assumed.",
        show_default=False,
    ),
]


def unstated_of(
    labels_by: Origin | None = None, reading_as: Options | None = None, sold: str | None = None
) -> Unstated:
    """Return what is assumed of such files; each assumption is told on standard error."""
    from rich.markup import escape

    from stream.files import Options
    from training.data.unstated import Unstated

    return Unstated(
        labels_by or Origin.PERSON, lambda line: note(escape(line)), reading_as or Options(), sold
    )
