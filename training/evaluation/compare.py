"""Families and ways of training, compared on the same rows with the same seeds.

Each run (one candidate, one seed) is kept on disk under a key of its data and configuration: an
interrupted comparison goes on with the run that it was at, and another one never takes it up.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset
from training.fit.config import Imbalance, Progress, TrainConfig, Tricks, silent
from training.models.family import FAMILIES, family

_TIMED_TEXTS: Final = 512
_TIMED_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to compare: a family, and how it is trained.

    Attributes:
        name: in tables.
        family: its family's name.
        config: how it is trained; the seed is replaced.
    """

    name: str
    family: str
    config: TrainConfig


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one candidate with one seed.

    Attributes:
        candidate: its name.
        seed: of the training.
        logits: by test set, float32 [rows, 9].
        losses: mean loss of each epoch; none for baselines.
        seconds: of the training, on whatever else the machine was doing.
        parameters: numbers that were learned.
        megabytes: of the eight-bit graph; 0 for baselines.
        per_second: texts of the first test set that the eight-bit graph (a baseline: its own code)
            scores in a second.
    """

    candidate: str
    seed: int
    logits: dict[str, NDArray[np.float32]]
    losses: tuple[float, ...]
    seconds: float
    parameters: int
    megabytes: float
    per_second: float


def family_candidates(names: Sequence[str], config: TrainConfig) -> list[Candidate]:
    """Return one candidate a family, trained alike.

    Args:
        names: of families; all if empty.
        config: how they are trained.
    """
    return [Candidate(name, family(name).name, config) for name in names or FAMILIES]


def imbalance_candidates(name: str, config: TrainConfig) -> list[Candidate]:
    """Return one family with everything that may be done about rare categories."""
    ways = {
        "nothing": Imbalance(),
        "oversampling": Imbalance(oversampling=0.5),
        "balanced weights": Imbalance(class_weight="balanced"),
        "effective-number weights": Imbalance(class_weight="effective"),
        "focal loss": Imbalance(focal_gamma=2.0),
        "oversampling + focal loss": Imbalance(oversampling=0.5, focal_gamma=2.0),
        "logit adjustment": Imbalance(logit_adjustment=1.0),
    }
    return [
        Candidate(what, name, config.model_copy(update={"imbalance": way}))
        for what, way in ways.items()
    ]


def ablation_candidates(name: str, config: TrainConfig) -> list[Candidate]:
    """Return one family, plainly trained, and with one trick at a time."""
    ways = {
        "plain": Tricks(),
        "hard labels": Tricks(soft_labels=False),
        "equal row weights": Tricks(row_weights=False),
        "pruned": Tricks(prune=True),
        "label smoothing": Tricks(label_smoothing=0.1),
        "R-Drop": Tricks(r_drop=1.0),
        "adversarial": Tricks(adversarial=0.5),
        "layer-wise decay": Tricks(layer_decay=0.9),
        "top layer afresh": Tricks(reinit_layers=1),
        "weight averaging": Tricks(averaging=0.99),
        "augmentation": Tricks(augmentation=0.3),
    }
    return [
        Candidate(what, name, config.model_copy(update={"tricks": tricks}))
        for what, tricks in ways.items()
    ]


def compare(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    seeds: Sequence[int],
    work: Path,
    progress: Progress = silent,
) -> list[Run]:
    """Train every candidate with every seed, and score all test sets.

    Args:
        candidates: what to compare.
        dataset: what to train on; rows whose text is in a test set are left out.
        tests: labelled rows by name; speed is measured on the first.
        seeds: of the trainings.
        work: keeps finished runs.
        progress: is told how far it is.
    """
    dataset = dataset.without_texts_of(*tests.values())
    runs = []
    for number, (candidate, seed) in enumerate((c, s) for c in candidates for s in seeds):
        progress(f"all: {candidate.name}, seed {seed}", number, len(candidates) * len(seeds))
        config = candidate.config.model_copy(update={"seed": seed})
        folder = work / _key(candidate, config, dataset, tests)
        run = _read(folder, candidate, seed)
        if run is None:
            run = _train(candidate, config, dataset, tests, folder, progress)
            _write(folder, run)
        runs.append(run)
    progress("all: done", len(candidates) * len(seeds), len(candidates) * len(seeds))
    return runs


def _train(
    candidate: Candidate,
    config: TrainConfig,
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    folder: Path,
    progress: Progress,
) -> Run:
    def told(stage: str, done: int, total: int) -> None:
        progress(f"{candidate.name}, seed {config.seed}: {stage}", done, total)

    checkpoints = folder / "checkpoints"
    started = time.perf_counter()
    model: Any = family(candidate.family).fit(
        dataset, config.model_copy(update={"checkpoints": checkpoints}), told
    )
    seconds = time.perf_counter() - started
    shutil.rmtree(checkpoints, ignore_errors=True)
    logits = {name: model.logits(rows.normalized) for name, rows in tests.items()}
    first = next(iter(tests.values())).normalized
    sample = (first * (_TIMED_TEXTS // max(len(first), 1) + 1))[:_TIMED_TEXTS]
    measure = _graph_speed if family(candidate.family).servable else _model_speed
    megabytes, per_second = measure(model, sample, config.threads)
    return Run(
        candidate.name,
        config.seed,
        logits,
        tuple(getattr(model, "losses", ())),
        seconds,
        int(model.parameters),
        megabytes,
        per_second,
    )


def _graph_speed(model: Any, texts: Sequence[str], threads: int) -> tuple[float, float]:
    """Return megabytes and texts a second of the eight-bit graph."""
    from training.export.graph import export_graph  # noqa: PLC0415 - torch only when needed
    from training.export.parity import graph_logits  # noqa: PLC0415 - likewise
    from training.export.quantise import quantise_dynamic  # noqa: PLC0415 - likewise

    with tempfile.TemporaryDirectory() as temporary:
        full, small = Path(temporary) / "full.onnx", Path(temporary) / "small.onnx"
        export_graph(model, full)
        quantise_dynamic(full, small, seven_bits=True)
        ids = model.encoder.tokenize(texts, model.max_length)
        pad_id = model.encoder.pad_id
        seconds = _quickest(lambda: graph_logits(small, ids, pad_id, threads))
        return small.stat().st_size / 1e6, len(texts) / seconds


def _model_speed(model: Any, texts: Sequence[str], threads: int) -> tuple[float, float]:
    del threads
    return 0.0, len(texts) / _quickest(lambda: model.logits(texts))


def _quickest(call: Any) -> float:
    """Return the seconds of the quickest round: the others met a neighbour."""
    taken = []
    for _ in range(_TIMED_ROUNDS):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return max(min(taken), 1e-9)


def _key(
    candidate: Candidate, config: TrainConfig, dataset: Dataset, tests: Mapping[str, Dataset]
) -> str:
    parts = (
        candidate.family,
        config.model_dump_json(exclude={"checkpoints", "folds", "precision"}),
        dataset.digest,
        *(f"{name} {rows.digest}" for name, rows in tests.items()),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _write(folder: Path, run: Run) -> None:
    """Keep a finished run: arrays first, then the record that says that it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"test {name}": values for name, values in run.logits.items()}
    np.savez(folder / "logits.npz", allow_pickle=False, **arrays)
    record = asdict(run)
    del record["logits"]
    partial = folder / "run.json.partial"
    partial.write_text(json.dumps(record), encoding="utf-8")
    os.replace(partial, folder / "run.json")  # noqa: PTH105 - Path.replace is the same call


def _read(folder: Path, candidate: Candidate, seed: int) -> Run | None:
    if not (folder / "run.json").is_file():
        return None
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with np.load(folder / "logits.npz", allow_pickle=False) as arrays:
        logits = {name.removeprefix("test "): arrays[name] for name in arrays.files}
    losses = tuple(record.pop("losses"))
    return Run(
        **(record | {"candidate": candidate.name, "seed": seed}), logits=logits, losses=losses
    )
