"""`reviews label nli`: a small checkpoint of one's own for zero-shot votes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from stream.cli.console import note
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import settings_from
from stream.cli.outputs import Force
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.progress import GOES_ON, stage_bars
from training.cli.train import read_labels

if TYPE_CHECKING:
    from stream.files import Options

# Three hundred a category: they name what a stream of clothes does not hold.
_COMPOSED: Final = 2700


@reads_files
def nli(
    labels: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[LABELS]...",
            help="CSV or JSON lines with text and category. Without any: our own examples, and "
            "sentences composed from templates.",
            show_default=False,
        ),
    ] = None,
    validated: Annotated[
        list[Path] | None,
        typer.Option(
            help="Reviews that labelling will be calibrated or measured on: left out here.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder; else REVIEWS_LABEL__NLI."),
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="BERT to begin with; else the bundled model's.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    labels_by: LabelsBy = None,
    force: Force = False,
    *,
    reading_as: Options,
) -> None:
    """Train an NLI checkpoint; `reviews label` lets it vote where no other one is installed.

    Some minutes on a CPU. Ctrl-C keeps the finished epochs: the same command goes on there.
    """
    import numpy as np

    from training.data.dataset import join, read_labelled_dataset
    from training.data.parts import held_out_files
    from training.fit.config import BUNDLED_ENCODER
    from training.words.templates import synthetic_dataset
    from training.writable import is_complete

    settings = settings_from(None, None)
    folder = output or settings.label.nli
    if not force and is_complete(folder):
        raise InputError(
            f"{folder} holds a finished checkpoint",
            "name another folder with --output, or add --force to replace it",
        )
    data = read_labels(labels or [], unstated_of(labels_by, reading_as))
    if not labels:
        data = join(data, synthetic_dataset(_COMPOSED, seed, 1.0))
    files = [*held_out_files(), *(validated or [])]
    data = data.without_texts_of(*(read_labelled_dataset(path) for path in files))
    data = data.take(np.sort(np.unique(data.normalized, return_index=True)[1]))
    # torch: a mistake above is answered without waiting for it.
    from training.labelling.nli import NliConfig, train_nli

    config = NliConfig(base=base or BUNDLED_ENCODER, epochs=epochs, seed=seed)
    work = folder.with_name(f"{folder.name}.progress")
    started = time.perf_counter()
    with told_if_interrupted(lambda: GOES_ON), stage_bars() as progress:
        losses = train_nli(data, folder, work, config, progress)
    passed = time.perf_counter() - started
    note(f"{len(data):,} reviews, loss {losses[-1]:.3f}, {passed:.0f} s: {escape(str(folder))}")
    note("next: `reviews label INPUT --validated FILE`, which measures what its votes are worth")
