"""`reviews calibrate`: a finished model for a stream of one's own, without training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.console import err, note, out
from stream.cli.options import Json, settings_from
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.train import Guarantee

if TYPE_CHECKING:
    from rich.table import Table

    from stream.files import Options
    from stream.model.folder import Manifest, PromisedPrecision
    from training.calibrate import Calibrated


# Of models from before it was kept.
_PRECISION = 0.95


@reads_files
def calibrate(
    labels: Annotated[
        Path, typer.Argument(help="Labels of your stream, drawn at random: some 200.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model folder.")],
    model: Annotated[
        Path | None,
        typer.Option(help="Model folder; else REVIEWS_MODEL__FOLDER.", show_default=False),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="More of your stream: tells the categories' shares.", show_default=False),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=0.999,
            help="Wanted among what is published; else what the model was asked for.",
            show_default=False,
        ),
    ] = None,
    guarantee: Guarantee = False,
    labels_by: LabelsBy = None,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Fit temperature, biases and thresholds to labels of your own; the weights stay."""
    from stream.model.folder import read_manifest
    from training.calibrate import calibrate as fit
    from training.data.dataset import read_test_dataset
    from training.data.files import read_items
    from training.writable import check_replaceable

    settings = settings_from(None, None)
    folder = model or settings.model.folder
    if output.exists():
        raise InputError(f"{output} exists", "name a new folder with --output")
    check_replaceable(output)
    unstated = unstated_of(labels_by, reading_as)
    rows = read_test_dataset(labels, unstated)
    more = [item.normalized for item in read_items(unlabelled, unstated)] if unlabelled else []
    with err.status("fitting"):
        done = fit(
            folder,
            rows,
            output,
            unlabelled=more,
            precision=precision or read_manifest(folder).asked_precision or _PRECISION,
            guarantee=guarantee,
        )
    if as_json:
        shown = {"folder": str(output), "version": done.manifest.version, "chosen": done.chosen}
        out.print_json(json.dumps({**shown, "scores": [asdict(score) for score in done.scores]}))
        return
    if unlabelled:
        _say_what_texts_did(done, len(more))
    err.print(_scores(done))
    err.print(promise_table(done.manifest))
    out.print(str(output), markup=False)
    note(
        f"try it: [bold]reviews classify FILE -o OUTPUT --model {output}[/bold]; serve it through the gate:"
    )
    note(f"      [bold]reviews model add {output}[/bold], then [bold]reviews model promote[/bold]")


def _say_what_texts_did(done: Calibrated, count: int) -> None:
    """Say what --unlabelled was good for: it tells the categories' shares, which one way uses."""
    from training.calibrate import SHARES

    if not any(score.name == SHARES for score in done.scores):
        note(
            f"{count:,} texts without labels were not used: the model does not say in which shares "
            "its categories were trained"
        )
        return
    used = (
        "is the best below, and used"
        if done.chosen == SHARES
        else "is not the best below: not used"
    )
    note(f'{count:,} texts without labels tell the shares of the categories: "{SHARES}" {used}')


def promise_table(manifest: Manifest) -> Table:
    """Return what a model promises, category by category."""
    from rich.table import Table

    how = "kept with 95% confidence" if manifest.guaranteed else "chosen by the held-out share"
    asked = f"{manifest.asked_precision:.1%}" if manifest.asked_precision else "not recorded"
    table = Table(
        box=None,
        pad_edge=False,
        title=f"published precision: asked {asked}, {how}",
        title_justify="left",
    )
    # Eighty columns hold it, names of twenty letters included.
    table.add_column("category", overflow="fold")
    for name in (
        "threshold",
        "held\nout",
        "published",
        "right",
        "at least\n(95%)",
        "labels\nneeded",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for slug, threshold in manifest.thresholds.items():
        found = manifest.promises.get(slug)
        shown = f"{threshold:.3f}" if threshold <= 1 else "all asked"
        if found is None:
            table.add_row(slug, shown, "", "", "", "unknown", "")
            continue
        kept = bool(manifest.asked_precision) and found.lower >= manifest.asked_precision
        table.add_row(
            slug,
            shown,
            f"{found.rows:,}",
            f"{found.published:,}",
            f"{found.right / found.published:.1%}" if found.published else "",
            _at_least(found, threshold, kept=kept),
            "" if kept or found.needed is None else f"{found.needed:,}",
        )
    return table


def _at_least(found: PromisedPrecision, threshold: float, *, kept: bool) -> str:
    if found.published:
        return f"[{'green' if kept else 'yellow'}]{found.lower:.1%}[/]"
    return "[yellow]unknown[/]" if threshold <= 1 else ""


def _scores(done: Calibrated) -> Table:
    from rich.table import Table

    title = "on labels that each was not fitted to (5-fold)"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("")
    for name in ("log loss", "accuracy", "calibration error", "published", "right of those"):
        table.add_column(name, justify="right")
    for score in done.scores:
        chosen = "[bold]→ " if score.name == done.chosen else "  "
        table.add_row(
            chosen + score.name,
            f"{score.log_loss:.3f}",
            f"{score.accuracy:.1%}",
            f"{score.calibration_error:.3f}",
            f"{score.coverage:.1%}",
            "" if score.precision is None else f"{score.precision:.1%}",
        )
    return table
