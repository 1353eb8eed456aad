"""Families and ways of training, compared on the same rows with the same seeds.

Each run (one candidate, one seed) is kept on disk under a key of its data, its configuration, its base
checkpoint and the code that trains: an interrupted comparison goes on with the run that it was at, and
another one never takes it up.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.private_files import replace_whole
from training.data.dataset import Dataset, trusted
from training.distillation import fit_family
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, silent, within
from training.fit.lineage import decided_by
from training.models.baselines import Majority
from training.models.family import family
from training.out_of_fold import out_of_fold
from training.split import MeasuredRows, Split, measured_rows, split_of

OUT_OF_FOLD: Final = "out of fold"
"""Name of the test set that a comparison out of fold scores."""
_READABLE: Final = 0o644
_TIMED_TEXTS: Final = 512
_TIMED_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to compare: a family, and how it is trained.

    Attributes:
        name: in tables.
        family: its family's name.
        config: how it is trained; the seed is replaced.
        share: of the rows that it is trained on; drawn anew for each seed.
    """

    name: str
    family: str
    config: TrainConfig
    share: float = 1.0


Finished = Callable[[Candidate, TrainConfig, "Run", str], None]
"""Told of each run that is there, made now or before: whose, how, what came of it, its key."""


def unrecorded(candidate: Candidate, config: TrainConfig, run: Run, key: str) -> None:
    """Tell nobody of a finished run."""
    del candidate, config, run, key


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one candidate with one seed.

    Attributes:
        candidate: its name.
        seed: of the training.
        logits: by test set, float32 [rows, categories].
        losses: mean loss of each epoch; none for baselines.
        seconds: of the training, on whatever else the machine was doing.
        parameters: numbers that were learned.
        megabytes: of the eight-bit graph; 0 for baselines.
        per_second: texts of the first test set that the eight-bit graph (a baseline: its own code)
            scores in a second, word pieces included.
    """

    candidate: str
    seed: int
    logits: dict[str, NDArray[np.float32]]
    losses: tuple[float, ...]
    seconds: float
    parameters: int
    megabytes: float
    per_second: float


def compare(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    seeds: Sequence[int],
    work: Path,
    progress: Progress = silent,
    finished: Finished = unrecorded,
) -> list[Run]:
    """Train every candidate with every seed, and score all test sets.

    Args:
        candidates: what to compare.
        dataset: what to train on; rows whose text is in a test set are left out, of texts that
            teachers label too.
        tests: labelled rows by name; speed is measured on the first.
        seeds: of the trainings.
        work: keeps finished runs.
        progress: is told how far it is.
        finished: is told of each run.

    Raises:
        DataError: nothing is left to train on, or there is nothing to learn from it.
    """
    dataset = dataset.without_texts_of(*tests.values())
    if not len(dataset):
        raise DataError(
            "no text is left to train on: all of them are in the test sets",
            "name labels that are in no --test",
        )
    digests = [f"{name} {rows.digest}" for name, rows in tests.items()]

    def train(candidate: Candidate, config: TrainConfig, told: Progress) -> Run:
        rows = part_of(dataset, candidate.share, config.seed)
        held_out = (text for test in tests.values() for text in test.normalized)
        return _train(candidate, config.measured_on(held_out), rows, tests, told)

    data = [dataset.digest, *digests]
    return _runs(candidates, seeds, data, work, train, progress, finished)


def compare_out_of_fold(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    seeds: Sequence[int],
    work: Path,
    progress: Progress = silent,
    finished: Finished = unrecorded,
    measured: MeasuredRows | None = None,
) -> tuple[list[Run], Dataset]:
    """Train every candidate once a fold and seed, and score each trusted row by the model without it.

    Nothing is exported and no speed measured: this is for ways of training, which are alike in that.

    Args:
        candidates: what to compare; all of the same folds.
        dataset: what to train on, and whose trusted rows are scored.
        seeds: of the trainings and of the folds.
        work: keeps finished runs.
        progress: is told how far it is.
        finished: is told of each run.
        measured: the rows to score, where they have been chosen already.

    Returns:
        The runs, and the rows that their logits belong to.

    Raises:
        DataError: no label can be trusted, or none can be held out.
    """
    first = candidates[0].config
    rows = measured or measured_rows(dataset, first)

    @cache
    def split(seed: int) -> Split:
        return split_of(dataset, first.model_copy(update={"seed": seed}), rows)

    def train(candidate: Candidate, config: TrainConfig, told: Progress) -> Run:
        started = time.perf_counter()
        held = out_of_fold(candidate.family, dataset, split(config.seed), config, told)
        seconds = time.perf_counter() - started
        logits = {OUT_OF_FOLD: held.logits}
        return Run(candidate.name, config.seed, logits, (), seconds, 0, 0.0, 0.0)

    scored = dataset.take(rows.places)
    parts = [dataset.digest, f"{OUT_OF_FOLD} {first.folds} {first.held_out}", scored.digest]
    runs = _runs(candidates, seeds, parts, work, train, progress, finished)
    return runs, scored


def part_of(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Return a random share of a dataset's rows, in their order; all of them for a share of one."""
    if share >= 1:
        return dataset
    count = max(1, round(share * len(dataset)))
    rows = np.random.default_rng(seed).choice(len(dataset), count, replace=False)
    return dataset.take(np.sort(rows))


def trusted_and(dataset: Dataset, others: int, seed: int = 0) -> Dataset:
    """Return the trusted rows, and so many of the others at random: a cheap ground for comparing.

    Args:
        dataset: all rows.
        others: how many rows that are not trusted; all if there are no more.
        seed: of the choice.
    """
    rest = np.flatnonzero(~trusted(dataset))
    chosen = np.random.default_rng(seed).permutation(rest)[:others]
    return dataset.take(np.sort(np.concatenate([np.flatnonzero(trusted(dataset)), chosen])))


def _runs(
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    data: Sequence[str],
    work: Path,
    train: Callable[[Candidate, TrainConfig, Progress], Run],
    progress: Progress,
    finished: Finished,
) -> list[Run]:
    """Make or take up each run; ``data`` says what, besides the configuration, decides its result."""
    runs: list[Run] = []
    count = len(candidates) * len(seeds)
    for candidate in candidates:
        for seed in seeds:
            told = within(f"{candidate.name}, seed {seed}", progress)
            progress(f"all: {candidate.name}, seed {seed}", len(runs), count)
            config = candidate.config.model_copy(update={"seed": seed})
            key = _key(candidate, config, data)
            folder = work / key
            run = _read(folder, candidate, seed)
            if run is None:
                checkpoints = folder / "checkpoints"
                config = config.model_copy(update={"checkpoints": checkpoints})
                run = train(candidate, config, told)
                shutil.rmtree(checkpoints, ignore_errors=True)
                _write(folder, run)
            finished(candidate, config, run, key)
            runs.append(run)
    progress("all: done", count, count)
    return runs


def _train(
    candidate: Candidate,
    config: TrainConfig,
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    progress: Progress,
) -> Run:
    started = time.perf_counter()
    model: Any = fit_family(candidate.family, dataset, config, progress)
    seconds = time.perf_counter() - started
    # Before the export: it merges low-rank updates into weights that were not trained.
    parameters = int(model.parameters)
    logits = {name: model.logits(rows.normalized) for name, rows in tests.items()}
    first = next(iter(tests.values())).normalized
    sample = (first * (_TIMED_TEXTS // max(len(first), 1) + 1))[:_TIMED_TEXTS]
    if family(candidate.family).servable:
        megabytes, per_second = _graph_speed(model, dataset.normalized, sample, config)
    else:
        megabytes, per_second = 0.0, _model_speed(model, sample)
    return Run(
        candidate.name,
        config.seed,
        logits,
        tuple(getattr(model, "losses", ())),
        seconds,
        parameters,
        megabytes,
        per_second,
    )


def _graph_speed(
    model: Any, learned: Sequence[str], texts: Sequence[str], config: TrainConfig
) -> tuple[float, float]:
    """Return megabytes and texts a second of the graph that would serve."""
    from training.export.cpu_graph import Sample, write_cpu_graph  # noqa: PLC0415 - when needed
    from training.export.graph import export_graph  # noqa: PLC0415 - likewise
    from training.export.parity import open_graph, session_logits  # noqa: PLC0415 - likewise

    with tempfile.TemporaryDirectory() as temporary:
        full, small = Path(temporary) / "full.onnx", Path(temporary) / "small.onnx"
        export_graph(model, full)
        write_cpu_graph(full, small, Sample.of(model, learned), config.quantise)
        session, encoder = open_graph(small, config.threads), model.encoder

        def score() -> None:
            session_logits(session, encoder.tokenize(texts, model.max_length), encoder.pad_id)

        seconds = _quickest(score)
        return small.stat().st_size / 1e6, len(texts) / seconds


def _model_speed(model: Any, texts: Sequence[str]) -> float:
    """Return texts a second; an answer that reads no text has no speed."""
    if isinstance(model, Majority):
        return 0.0
    return len(texts) / _quickest(lambda: model.logits(texts))


def _quickest(call: Any) -> float:
    """Return the seconds of the quickest round: the others met a neighbour."""
    taken = []
    for _ in range(_TIMED_ROUNDS):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return max(min(taken), 1e-9)


def _key(candidate: Candidate, config: TrainConfig, data: Sequence[str]) -> str:
    based = family(candidate.family).based
    parts = [candidate.family, decided_by(config, based=based), *data]
    if config.distillation.teachers and config.distillation.texts is not None:
        parts.append(hashlib.sha256(config.distillation.texts.read_bytes()).hexdigest())
    if candidate.share < 1:
        parts.append(f"share {candidate.share}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _write(folder: Path, run: Run) -> None:
    """Keep a finished run: arrays first, then the record that says that it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"test {name}": values for name, values in run.logits.items()}
    np.savez(folder / "logits.npz", allow_pickle=False, **arrays)
    record = asdict(run)
    del record["logits"]
    replace_whole(folder / "run.json", json.dumps(record), _READABLE)


def _read(folder: Path, candidate: Candidate, seed: int) -> Run | None:
    if not (folder / "run.json").is_file():
        return None
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        # numpy leaves a file open that it opened itself and could not read.
        with (
            (folder / "logits.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            logits = {name.removeprefix("test "): arrays[name] for name in arrays.files}
        losses = tuple(record.pop("losses"))
        return Run(
            **(record | {"candidate": candidate.name, "seed": seed}), logits=logits, losses=losses
        )
    # The archive fails in every way there is: a zip's, a compression's and numpy's own.
    except Exception:  # noqa: BLE001 - see above
        return None  # damaged: it is trained again
