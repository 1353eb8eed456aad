"""What is recorded of a training, of a comparison and its runs, and of a pretraining."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.model.folder import MANIFEST, Manifest
from training.data.dataset import Dataset
from training.fit.config import TrainConfig
from training.measures.metrics import accuracy, macro_f1, weighted_f1
from training.tracking.tracker import RunRecord, TrackedRun, Tracker

if TYPE_CHECKING:
    from training.comparison.compare import Candidate, Run
    from training.pretraining.mlm import PretrainConfig

_CARD: Final = "README.md"
_PACKAGES: Final = ("numpy", "onnxruntime", "scikit-learn", "torch", "transformers")


def training_record(family: str, config: TrainConfig) -> RunRecord:
    """Return what is known before a family is trained.

    Args:
        family: its name.
        config: how.
    """
    tags = {"family": family, "seed": str(config.seed), "base": config.base}
    return RunRecord(f"train {family}", flat(config.described()), tags | _code())


def add_training(run: TrackedRun, folder: Path, manifest: Manifest) -> None:
    """Add what a model folder says of its training; its weights stay where they are.

    Args:
        run: the record.
        folder: of the model.
        manifest: of the same.
    """
    from training.export.folder import RUN_FILE  # noqa: PLC0415 - loads torch

    made = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    run.tags(
        {
            "model": manifest.version,
            "data.training": manifest.training_digest,
            **{f"rows.{origin}": str(count) for origin, count in made["origins"].items()},
            **_versions(made["versions"] | {"python": made["python"]}),
        }
    )
    run.losses(made["losses"])
    run.scores(manifest.metrics | {"temperature": manifest.temperature})
    run.scores(
        {f"agreement/{graph}": found["agreement"] for graph, found in made["parity"].items()}
    )
    run.files([folder / name for name in (RUN_FILE, _CARD, MANIFEST)])


def pretraining_record(texts: int, config: PretrainConfig) -> RunRecord:
    """Return what is known before an encoder is pretrained.

    Args:
        texts: how many.
        config: how.
    """
    tags = {"seed": str(config.seed), "texts": str(texts)}
    options = config.model_dump(mode="json", exclude={"checkpoints"})
    return RunRecord("pretrain", options, tags | _code())


def add_pretraining(run: TrackedRun, folder: Path) -> None:
    """Add what a checkpoint's folder says of its making; its vocabulary holds words of the texts."""
    from training.pretraining.checkpoint import RUN_FILE  # noqa: PLC0415 - loads torch

    made = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    versions = _versions(made["versions"] | {"python": made["python"]})
    run.tags({"data.training": made["texts_digest"], **versions})
    run.losses(made["losses"])
    run.scores({name: float(made[name]) for name in ("vocabulary", "parameters")})
    run.files([folder / RUN_FILE])


def comparison_record(
    what: str,
    candidates: Sequence[Candidate],
    dataset: Dataset,
    tests: Mapping[str, Dataset],
    seeds: int,
) -> RunRecord:
    """Return what is known before a comparison; repeated, it goes on with the same record.

    Args:
        what: is compared.
        candidates: all of them.
        dataset: that is trained on.
        tests: labelled rows by name.
        seeds: trainings of each.
    """
    compared = {c.name: [c.family, c.share, c.config.described()] for c in candidates}
    data = _data(dataset, tests)
    key = json.dumps([what, compared, data, seeds], ensure_ascii=False)
    options = {"what": what, "candidates": ", ".join(compared), "seeds": seeds}
    tags = {**data, **_code(), **_installed()}
    return RunRecord(
        f"compare {what}", options, tags, hashlib.sha256(key.encode()).hexdigest()[:16]
    )


def add_run(
    tracker: Tracker,
    parent: TrackedRun,
    candidate: Candidate,
    config: TrainConfig,
    run: Run,
    key: str,
    tests: Mapping[str, Dataset],
) -> None:
    """Record a finished run of a comparison, unless it is recorded already.

    Args:
        tracker: keeps it.
        parent: record of the comparison.
        candidate: what was trained.
        config: how.
        run: what came of it.
        key: that it is kept under.
        tests: labelled rows by name.
    """
    if tracker.holds(key):
        return
    record = RunRecord(
        f"{candidate.name}, seed {run.seed}",
        flat(config.described()) | {"share": candidate.share},
        {
            "family": candidate.family,
            "candidate": candidate.name,
            "seed": str(run.seed),
            "base": config.base,
            **{f"data.{name}": rows.digest for name, rows in tests.items()},
            **_code(),
            **_installed(),
        },
        key,
        parent.run,
        run.seconds,
    )
    with tracker.run(record) as kept:
        kept.losses(run.losses)
        kept.scores(_scores(run, tests))


def add_report(parent: TrackedRun, folder: Path, *, page: bool) -> None:
    """Add a comparison's report.

    Args:
        parent: record of the comparison.
        folder: of the report.
        page: its page too, which holds the texts that were mistaken.
    """
    from training.comparison.report import PAGE, RECORD, TABLE  # noqa: PLC0415 - draws pictures

    names = [TABLE, RECORD, *sorted(path.name for path in folder.glob("*.png"))]
    parent.files([folder / name for name in (*names, *([PAGE] if page else []))])


def flat(options: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested options under names with dots.

    >>> flat({"epochs": 3, "tricks": {"prune": False}})
    {'epochs': 3, 'tricks.prune': False}
    """
    found: dict[str, object] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _scores(run: Run, tests: Mapping[str, Dataset]) -> dict[str, float]:
    scores = {"seconds": run.seconds, "parameters": float(run.parameters)}
    measured = {"megabytes": run.megabytes, "texts_per_second": run.per_second}
    scores |= {name: value for name, value in measured.items() if value}
    for name, rows in tests.items():
        truth, said = rows.categories, run.logits[name].argmax(axis=1)
        for score in (weighted_f1, macro_f1, accuracy):
            scores[f"{name}/{score.__name__}"] = score(truth, said)
    return scores


def _data(dataset: Dataset, tests: Mapping[str, Dataset]) -> dict[str, str]:
    digests = {f"data.{name}": rows.digest for name, rows in tests.items()}
    return {"data.training": dataset.digest, **digests}


def _code() -> dict[str, str]:
    return {"version.reviews-stream": version("reviews-stream")}


def _installed() -> dict[str, str]:
    versions = {name: version(name) for name in _PACKAGES}
    return _versions(versions | {"python": platform.python_version()})


def _versions(versions: Mapping[str, Any]) -> dict[str, str]:
    return {f"version.{name}": str(found) for name, found in versions.items()}
