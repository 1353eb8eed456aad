"""`reviews compare`: families, ways against imbalance, and tricks, on the same rows and seeds."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stream.cli.console import note, out
from stream.cli.interruption import told_if_interrupted
from stream.cli.options import Json
from stream.cli.outputs import Force, require_own_folder
from stream.cli.reading import reads_files
from stream.errors import InputError
from training.cli.labels_by import LabelsBy, unstated_of
from training.cli.progress import stage_bars
from training.cli.tracking import tracker_of
from training.cli.train import (
    ConfigFile,
    Device,
    Encoder,
    Epochs,
    Track,
    config_of,
    options_of,
    read_labels,
    tell_of_products,
)

if TYPE_CHECKING:
    from stream.files import Options
    from training.comparison.compare import Candidate, Run
    from training.comparison.table import Line
    from training.data.dataset import Dataset
    from training.data.unstated import Unstated
    from training.fit.config import TrainConfig
    from training.split import Split
    from training.tracking.tracker import Tracker


class What(StrEnum):
    """What is compared."""

    FAMILIES = "families"
    IMBALANCE = "imbalance"
    ABLATION = "ablation"
    CURVE = "curve"


class FoldRows(StrEnum):
    """What a fold holds."""

    PRODUCTS = "products"
    ROWS = "rows"


_DEFAULT_SEEDS: Final = 3


@reads_files
def compare(
    labels: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[LABELS]...",
            help="Labelled files or a dataset to train on. Without any, our own examples.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="Labelled file to score on; repeatable. Else our held-out examples."),
    ] = None,
    what: Annotated[What, typer.Option(help="What is compared.")] = What.FAMILIES,
    family: Annotated[
        list[str] | None,
        typer.Option(help="Only these families; with any other --what, the one to vary."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each.")] = _DEFAULT_SEEDS,
    out_of_fold: Annotated[
        bool,
        typer.Option(
            "--out-of-fold",
            help="Score the labelled rows themselves, each by a model trained without it.",
        ),
    ] = False,
    held_out: Annotated[
        FoldRows | None,
        typer.Option(
            help="What --out-of-fold holds back: whole products, where the labels have a column "
            "product or source, or rows at random, which flatters.",
            show_default="products",
        ),
    ] = None,
    guessed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Train on only so many of the rows whose labels a program guessed.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the report; it holds texts.")
    ] = Path("build/report"),
    work: Annotated[Path, typer.Option(help="Keeps finished runs, to go on after Ctrl-C.")] = Path(
        "build/comparison"
    ),
    config: ConfigFile = None,
    encoder: Encoder = None,
    epochs: Epochs = None,
    device: Device = None,
    labels_by: LabelsBy = None,
    track: Track = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be trained.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
    *,
    reading_as: Options,
) -> None:
    """Train each candidate with each seed, score them on the same rows, and write a report.

    Ctrl-C keeps the finished runs and epochs: the same command goes on there.
    """
    # Comparing takes hours: what is wrong with the place is said before anything is read.
    require_own_folder(output, "comparison.json", "{", force=force)
    base = config_of(
        options_of(
            config,
            encoder=encoder,
            epochs=epochs,
            device=device,
            held_out=None if held_out is None else held_out.value,
        )
    )
    if out_of_fold:
        _check_out_of_fold(what, test or [])
    elif held_out is not None:
        raise InputError("--held-out says what a fold holds", "add --out-of-fold")
    _check_names(what, family or [], base)
    unstated = unstated_of(labels_by, reading_as)
    with told_if_interrupted(lambda: "nothing was trained yet; the same command begins again"):
        dataset = read_labels(labels or [], unstated)
        tests = {} if out_of_fold else _tests(test or [], unstated)
        # From here on scikit-learn and torch: a mistake above is answered without waiting for them.
        candidates = _candidates(what, family or [], base)
        dataset = _training_rows(dataset, guessed)
        candidates = _with_enough(candidates, dataset)
        split = _split(dataset, candidates[0].config, held_out) if out_of_fold else None
    if dry_run:
        for candidate in candidates:
            out.print(f"{candidate.name}: {candidate.family}, {seeds} seeds", markup=False)
        note(f"{len(dataset)} rows to train on; without --dry-run they are")
        return
    from training.comparison.report import PAGE, RECORD, TABLE
    from training.writable import check_writable

    check_writable(output)
    # Ways and tricks are measured against doing without, families against the best.
    reference = None if what in {What.FAMILIES, What.CURVE} else candidates[0].name
    with told_if_interrupted(
        lambda: f"finished runs and epochs are in {work}; the same command goes on there"
    ):
        table = _compared(
            what,
            candidates,
            dataset,
            split or tests,
            seeds,
            work,
            output,
            reference,
            tracker_of(track),
        )
    _print(table, reference or table[0].name, as_json)
    note(f"report: {output / PAGE}; table for a README: {output / TABLE}")
    if what is What.FAMILIES:
        best = _to_serve(candidates, table)
        if best is not None:
            note(f"next: [bold]reviews train {best}[/bold] exports the best one that can serve")
    elif what is not What.CURVE:
        note(
            f"next: options of each are in {output / RECORD}; in a file, "
            f"[bold]reviews train {candidates[0].family} --config FILE[/bold] takes them"
        )


def _compared(
    what: What,
    candidates: list[Candidate],
    dataset: Dataset,
    ground: Split | dict[str, Dataset],
    seeds: int,
    work: Path,
    output: Path,
    reference: str | None,
    tracker: Tracker,
) -> list[Line]:
    """Train, score on the test sets or out of fold, write the report, keep records."""
    from training.comparison.compare import OUT_OF_FOLD, compare_out_of_fold
    from training.comparison.compare import compare as on_tests
    from training.comparison.report import write_report
    from training.split import Split
    from training.tracking.records import add_report, add_run, comparison_record

    if isinstance(ground, Split):
        scored = {OUT_OF_FOLD: dataset.take(ground.measured.places)}
        _tell_of_known(ground)
        if not any(dataset.product):
            note("no column product or source: rows are held out at random, which may flatter")
        tell_of_products(dataset, candidates[0].config, ground)
    else:
        scored = ground
    record = comparison_record(what, candidates, dataset, scored, seeds)
    with stage_bars() as progress, tracker.run(record) as kept:

        def keep(candidate: Candidate, config: TrainConfig, run: Run, key: str) -> None:
            add_run(tracker, kept, candidate, config, run, key, scored)

        if isinstance(ground, Split):
            runs, _ = compare_out_of_fold(
                candidates, dataset, range(seeds), work, progress, keep, ground.measured
            )
        else:
            runs = on_tests(candidates, dataset, scored, range(seeds), work, progress, keep)
        table = write_report(output, candidates, runs, dataset, scored, reference)
        add_report(kept, output, page=tracker.pages)
    return table


def _with_enough(candidates: list[Candidate], dataset: Dataset) -> list[Candidate]:
    """Leave early stopping out where a training set has too few rows to hold some back."""
    from training.data.dataset import trusted
    from training.fit.stopping import least_trusted

    folds = candidates[0].config.folds
    enough = trusted(dataset).sum() * (folds - 1) / folds >= least_trusted()
    kept = [c for c in candidates if enough or not c.config.tricks.early_stopping]
    if not kept:
        raise InputError(
            f"early stopping needs {least_trusted()} trusted rows in each fold",
            "label more reviews, or leave early_stopping out",
        )
    if len(kept) < len(candidates):
        note(f"early stopping is left out: it needs {least_trusted()} trusted rows in each fold")
    return kept


def _split(dataset: Dataset, config: TrainConfig, held_out: FoldRows | None) -> Split:
    """Decide what is held out, the folds of the first seed among it.

    Raises:
        DataError: no label can be trusted, or none can be held out.
        InputError: products are wanted, and rows do not name theirs, or without some of them nothing is
            left to learn from.
    """
    from training.split import split_of

    split = split_of(dataset, config)
    if held_out is FoldRows.PRODUCTS and not split.products:
        raise InputError(
            f"the labels name {len(set(dataset.product) - {''})} products: too few to hold some out",
            "leave out --held-out, or add a column product",
        )
    return split


def _tell_of_known(split: Split) -> None:
    """Say how much of what is scored the base has learned before."""
    if count := split.measured.known:
        note(
            f"the base has learned {count} of the {len(split.measured.places)} scored texts before: "
            "scores flatter. [bold]--encoder[/bold] with one from `reviews pretrain` mends that"
        )


def _to_serve(candidates: list[Candidate], table: list[Line]) -> str | None:
    """Return the family of the best candidate that can serve; None if all are baselines."""
    from training.models.family import FAMILIES

    families = {candidate.name: FAMILIES[candidate.family] for candidate in candidates}
    return next((families[ln.name].name for ln in table if families[ln.name].servable), None)


def _check_out_of_fold(what: What, tests: list[Path]) -> None:
    """Refuse what needs rows apart.

    Raises:
        InputError: test sets are named, or a learning curve is wanted.
    """
    if tests:
        raise InputError("--out-of-fold scores the labelled rows themselves", "leave out --test")
    if what is What.CURVE:
        raise InputError("a learning curve needs rows that are not trained on", "name a --test")


def _check_names(what: What, families: list[str], base: TrainConfig) -> None:
    """Refuse a family, a teacher or a base that there is not.

    Raises:
        UnknownFamily: there is none of a name.
        InputError: several families are named where one is varied.
        LabellerUnavailable: the base is not on this machine.
    """
    from training.encoders.checkpoints import local_checkpoint
    from training.models.family import family
    from training.train import check_teachers

    for name in families:
        family(name)
    if what is not What.FAMILIES and len(families) > 1:
        raise InputError(f"--what {what} varies one family", "name one --family")
    check_teachers(base)
    local_checkpoint(str(base.encoder))


def _candidates(what: What, families: list[str], base: TrainConfig) -> list[Candidate]:
    from training.comparison.candidates import (
        ablation_candidates,
        curve_candidates,
        family_candidates,
        imbalance_candidates,
    )

    if what is What.FAMILIES:
        return family_candidates(families, base)
    name = families[0] if families else "bert"
    if what is What.IMBALANCE:
        return imbalance_candidates(name, base)
    if what is What.CURVE:
        return curve_candidates(name, base)
    return ablation_candidates(name, base)


def _training_rows(dataset: Dataset, guessed: int | None) -> Dataset:
    from training.comparison.compare import trusted_and

    return dataset if guessed is None else trusted_and(dataset, guessed)


def _tests(files: list[Path], unstated: Unstated) -> dict[str, Dataset]:
    from training.data.dataset import read_test_dataset
    from training.data.parts import held_out_file

    named = files or [held_out_file()]
    names = [path.stem for path in named]
    if len(set(names)) < len(names):
        raise InputError("two test sets have the same name", "rename one of the files")
    return {path.stem: read_test_dataset(path, unstated) for path in named}


def _print(table: list[Line], reference: str, as_json: bool) -> None:
    """Show a table for each test set; gaps are to the reference."""
    if as_json:
        out.print_json(json.dumps([_shown(line) for line in table]))
        return
    from rich.table import Table

    from training.comparison.markdown import gap

    timed = any(line.per_second for line in table)
    for test in table[0].scores:
        shown = Table(box=None, pad_edge=False)
        shown.add_column(test)
        less = f"less {reference}"
        for name in ("weighted F1", less, "macro F1", less, *(["texts/s"] if timed else [])):
            shown.add_column(name, justify="right")
        for line in table:
            score = line.scores[test]
            of_weighted, of_macro = str(score.weighted), str(score.macro)
            gaps = gap(score.gap), gap(score.macro_gap)
            speed = [_speed(line)] if timed else []
            shown.add_row(line.name, of_weighted, gaps[0], of_macro, gaps[1], *speed)
        out.print(shown)


def _speed(line: Line) -> str:
    return f"{line.per_second:,.0f}" if line.per_second else ""


def _shown(line: Line) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(line)
