"""``python -m tests.bench.simulation --pool FILE --test FILE``: what the order of asking is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.taxonomy import MARKETPLACE
from stream.cli.console import note, out
from tests.bench.simulation.curve import Simulation, run
from tests.bench.simulation.report import write_simulation
from training.data.dataset import labelled, read_labelled_dataset, read_test_dataset
from training.data.origins import Origin


def main(
    pool: Annotated[Path, typer.Option(help="Labelled reviews that people are asked about.")],
    test: Annotated[Path, typer.Option(help="Labelled reviews on which the models are compared.")],
    base: Annotated[Path, typer.Option(help="Every training begins with it.")] = MARKETPLACE
    / "examples.jsonl",
    family: Annotated[str, typer.Option(help="That is retrained.")] = "ngrams",
    batch: Annotated[int, typer.Option(min=1, help="Labels between two retrainings.")] = 25,
    labels: Annotated[int, typer.Option(min=1, help="In all.")] = 500,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    folder: Annotated[Path, typer.Option("--out")] = Path(".reviews/simulation"),
) -> None:
    """Replay the learning loop on known answers, for each order."""
    held_out = read_test_dataset(test)
    waiting = read_labelled_dataset(pool).without_texts_of(held_out)
    nothing = labelled([], [], Origin.PERSON)
    begin = nothing if base.name == "-" else read_labelled_dataset(base)
    begin = begin.without_texts_of(held_out, waiting)
    simulation = Simulation(begin, waiting, held_out, family, batch, labels, seeds)
    note(f"{len(begin)} texts to begin with, {len(waiting)} to ask about, {len(held_out)} to test")
    points = run(simulation, lambda stage, done, total: note(f"{stage} {done}/{total}"))
    out.print(write_simulation(points, folder), markup=False)
    note(f"curves: {folder / 'curve.svg'}")


if __name__ == "__main__":
    typer.run(main)
