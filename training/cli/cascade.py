"""`reviews model cascade`: a cheap model before an exact one, served as one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import err, note, out
from stream.cli.options import Json
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.calibrate import promise_table
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.train import Guarantee

if TYPE_CHECKING:
    from rich.table import Table

    from stream.files import Options
    from training.cascade import MadeCascade

_KNOWN = "rows_known_to_the_base"


@reads_files
def cascade(
    cheap: Annotated[Path, typer.Argument(help="Folder of the model that reads every review.")],
    exact: Annotated[Path, typer.Argument(help="Folder of the one that reads what is left.")],
    validation: Annotated[
        Path, typer.Option(help="Labelled reviews that neither was trained on: 200 at least.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=0.999,
            help="Wanted among what is published; else what the exact model was asked for.",
            show_default=False,
        ),
    ] = None,
    guarantee: Guarantee = False,
    loss: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.1, help="Share that the exact model had right and both have wrong."
        ),
    ] = 0.0025,
    labels_by: LabelsBy = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Put a cheap model before an exact one: it decides what it is sure enough of, at a fraction of the cost."""
    from stream.model.folder import read_manifest
    from training.writable import check_replaceable

    if output.exists():
        raise InputError(f"{output} exists", "name a new folder with --output")
    check_replaceable(output)
    if read_manifest(cheap).version == read_manifest(exact).version:
        raise InputError(
            f"{cheap} and {exact} are one model, which would be asked twice",
            "name a cheaper model first: `reviews train static` makes one",
        )
    # Slow to load: a mistake above is answered without waiting for them.
    from training.cascade import make_cascade
    from training.data.dataset import read_test_dataset

    rows = read_test_dataset(validation, unstated_of(labels_by, reading_as))
    with err.status("asking both models"):
        made = make_cascade(
            cheap, exact, rows, output, precision=precision, guarantee=guarantee, loss=loss
        )
    if as_json:
        shown = {"folder": str(output), "version": made.manifest.version}
        out.print_json(json.dumps({**shown, "stages": [asdict(stage) for stage in made.stages]}))
        return
    err.print(_table(made))
    err.print(promise_table(made.manifest))
    _, last, both = made.stages
    if both.cpu_ms >= last.cpu_ms:
        note(
            "[yellow]together they take as long as the exact model alone, or longer: the first stage decides "
            "too little for what it costs. Serve the exact model, or try a better cheap one, a lower "
            "--precision or a higher --loss[/yellow]"
        )
    if count := int(made.manifest.metrics.get(_KNOWN, 0)):
        note(
            f"[yellow]the exact model had learned the labels of these {count} rows: figures flatter, and "
            "its own thresholds are kept, or higher ones[/yellow]"
        )
    out.print(str(output), markup=False)
    note(
        f"try it: [bold]reviews classify FILE -o OUTPUT --model {output}[/bold]; serve it through the gate:"
    )
    note(f"      [bold]reviews model add {output}[/bold], then [bold]reviews model promote[/bold]")


def _table(made: MadeCascade) -> Table:
    from rich.table import Table

    title = "on the rows that the whole was calibrated on"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("stage")
    for name in ("decides", "accuracy alone", "weighted F1 alone", "CPU ms a review"):
        table.add_column(name, justify="right")
    for stage in made.stages:
        table.add_row(
            stage.name,
            f"{stage.share:.1%}",
            f"{stage.accuracy:.1%}",
            f"{stage.weighted_f1:.3f}",
            f"{stage.cpu_ms:.3f}",
        )
    return table
