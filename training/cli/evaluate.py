"""`reviews evaluate`: a finished model on labelled texts of one's own."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import err, note, out
from stream.cli.options import Json, settings_from
from stream.cli.reading import reads_files
from training.cli.labels_by import LabelsBy, unstated_of

if TYPE_CHECKING:
    from rich.table import Table

    from stream.files import Options
    from training.comparison.model import Evaluation


@reads_files
def evaluate(
    labels: Annotated[Path, typer.Argument(help="Labelled texts that nothing was trained on.")],
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False),
    ] = None,
    labels_by: LabelsBy = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Say how often a model is right, and what it would publish, by its own thresholds."""
    from stream.model.classifier import Classifier
    from training.comparison.model import evaluate as measure
    from training.data.dataset import read_test_dataset

    settings = settings_from(None, None)
    rows = read_test_dataset(labels, unstated_of(labels_by, reading_as))
    folder = model or settings.model.folder
    loaded = Classifier.load(folder, device="cpu")
    with err.status("classifying"):
        found = measure(loaded, rows)
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    out.print(_table(found))
    precision = found.right / found.published if found.published else None
    asked = loaded.manifest.asked_precision
    of_products = f" that name {found.products:,} products" if found.products else ""
    note(
        f"{folder}: {found.rows:,} rows{of_products}; right {found.accuracy}, weighted F1 "
        f"{found.weighted_f1}, macro F1 {found.macro_f1}, calibration error "
        f"{found.calibration_error:.3f}"
    )
    if precision is None:
        note("nothing is sure enough to be published")
        return
    wanted = f"; asked for {asked:.1%}" if asked else ""
    note(
        f"published {found.published / found.rows:.1%}, of which {precision:.1%} are right, at least "
        f"{found.lower:.1%} with 95% confidence{wanted}"
    )


def _table(found: Evaluation) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("category")
    for name in ("rows", "precision", "recall", "published", "right"):
        table.add_column(name, justify="right")
    table.add_column("taken for")
    for line in found.categories:
        table.add_row(
            line.category.slug,
            f"{line.rows:,}",
            f"{line.precision:.3f}",
            f"{line.recall:.3f}",
            f"{line.published:,}",
            f"{line.right / line.published:.1%}" if line.published else "",
            ", ".join(f"{category.slug} {count}" for category, count in line.taken_for),
        )
    return table
