"""One retraining: labels, dataset, model, gate, and what follows from it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from schemas import Label, active_taxonomy, highest
from stream.errors import ModelError
from stream.model.folder import (
    GPU_GRAPH,
    MANIFEST,
    has_active_categories,
    read_any_manifest,
    read_manifest,
)
from stream.queue.label_topic import ReadLabels, read_labels
from stream.settings import Settings
from training.data.dataset import Dataset
from training.data.parts import EXAMPLES
from training.data.unstated import PERSON_ASSUMED, Unstated
from training.errors import DataError
from training.fit.config import Progress, TrainConfig, silent
from training.gate.audits import AuditedStream
from training.gate.frozen import read_frozen
from training.gate.judge import judge
from training.gate.report import write_report
from training.gate.verdict import GateVerdict
from training.registry.announce import Role, announce, announcement
from training.registry.files import write_atomically
from training.registry.records import State, VersionRecord
from training.registry.store import Registry
from training.retrain.assemble import Assembled, assemble, read_base
from training.retrain.audits import audited_stream, read_audit_questions
from training.retrain.durations import keep_duration
from training.retrain.errors import NothingToLearn
from training.retrain.lineage import Lineage

Trainer = Callable[[str, Dataset, Path, TrainConfig, Progress], Any]
"""Trains a family on a dataset into a model folder; :func:`training.train.train_family` is one."""

_FIRST: Final = "the model that served when the registry began"
_ALONE: Final = (
    "the serving model has other categories than the taxonomy: the new one is judged by itself, by the "
    "gate's limits; workers with the former taxonomy refuse it and serve on"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to retrain, with what.

    Attributes:
        family: of the model.
        config: how it is trained.
        base: labelled files that come first; ours unless given, none if empty.
        frozen: labelled files to compare on; ours unless given.
        unstated: what is assumed of rows in either that do not say who decided.
        tell_workers: whether a promotion is announced.
        dry_run: stop once the training set is known.
        role: what a model that passed is to do first. As ``shadow`` or ``canary`` it stays the
            challenger, and the champion is not changed.
        share: of the review ids, for a canary.
    """

    family: str
    config: TrainConfig
    base: Sequence[Path] | None = None
    frozen: Sequence[Path] = ()
    unstated: Unstated = PERSON_ASSUMED
    tell_workers: bool = True
    dry_run: bool = False
    role: Role = "serving"
    share: float = 0.1


@dataclass(frozen=True, slots=True)
class RetrainOutcome:
    """What came of a retraining."""

    lineage: Lineage
    folder: Path
    """Dataset, lineage and report of this run."""
    record: VersionRecord | None = None
    """The new version; None after a dry run."""
    verdict: GateVerdict | None = None
    announced: bool = False


def retrain(
    settings: Settings,
    plan: Plan,
    *,
    progress: Progress = silent,
    train: Trainer | None = None,
    before: Callable[[Lineage], None] = lambda _: None,
) -> RetrainOutcome:
    """Read the labels, train, judge, and promote or refuse.

    Nothing is changed for anybody before the model is trained and stands in the registry; from then
    on each step is one atomic change. An interruption leaves the champion as it was.

    Args:
        settings: connection, registry, gate.
        plan: what to train.
        progress: is told how far it is.
        train: does the training; :func:`training.train.train_family` unless given.
        before: is told what is going to be trained on, before anything is.

    Raises:
        NothingToLearn: no label is there, or none since the last training.
        BrokerError: Kafka does not answer. If that happens while announcing, the registry has the
            new champion and ``reviews model announce`` tells the workers.
        ModelError: the new model is not what was trained, or the serving one is damaged.
    """
    registry = Registry(settings.learning.registry)
    alone = _serves_other_categories(registry, settings)
    if alone:
        plan.unstated.tell(_ALONE)
    assembled = _assemble(settings, plan, registry, progress)
    lineage = assembled.lineage
    # Other data or another family are another run: none writes over another's report.
    folder = settings.learning.runs / f"{lineage.digest[:16]}-{plan.family}"
    before(lineage)
    if plan.dry_run:
        return RetrainOutcome(lineage, folder)
    record = _left_unjudged(registry.state(), lineage)
    if record is None:
        train = train or _exporting(
            half_graph=_has_gpu_graph(registry, settings), first=_first_family(registry, settings)
        )
        model = _train(assembled, plan, folder, progress, train)
        serving = None if alone else ensure_champion(registry, settings)
        record = registry.add(
            model, why=_why(lineage), lineage=lineage.model_dump(mode="json", exclude={"config"})
        )
        shutil.rmtree(model, ignore_errors=True)  # the registry has its copy
        registry.challenge(record.number)
    else:
        serving = None if alone else ensure_champion(registry, settings)
    verdict, announced = decide(settings, registry, record, serving, assembled, plan, progress)
    write_report(verdict, folder)
    return RetrainOutcome(lineage, folder, record, verdict, announced)


def decide(
    settings: Settings,
    registry: Registry,
    record: VersionRecord,
    serving: VersionRecord | None,
    assembled: Assembled,
    plan: Plan,
    progress: Progress = silent,
) -> tuple[GateVerdict, bool]:
    """Run the gate on a stored version and carry out what it says.

    Returns:
        The verdict, and whether the workers were told.

    Raises:
        ModelError: the serving model is damaged.
        BrokerError: the workers could not be told; the registry has changed all the same.
    """
    verdict = judge(
        registry.path(record),
        None if serving is None else registry.path(serving),
        assembled.frozen,
        settings.gate,
        audits=assembled.audits,
        model=settings.model,
        numbers=(record.number, None if serving is None else serving.number),
        progress=progress,
    )
    write_report(verdict, registry.report_folder(record))
    why = "; ".join(verdict.reasons)
    if not verdict.passed:
        registry.refuse(record.number, why=why)
        return verdict, False
    registry.approve(record.number, why=why)
    if plan.role == "serving":
        registry.promote(record.number, why=why)
    if plan.tell_workers:
        message = announcement(
            registry,
            record,
            plan.role,
            seen_at=settings.learning.registry_seen_at,
            share=plan.share if plan.role == "canary" else 0.0,
            by=registry.user,
        )
        asyncio.run(announce(settings, message))
    return verdict, plan.tell_workers


def ensure_champion(registry: Registry, settings: Settings) -> VersionRecord | None:
    """Return the champion; a new registry begins with the model that the workers start with."""
    state = registry.state()
    if state.champion is not None:
        return registry.resolve(state.champion, state)
    if not (settings.model.folder / MANIFEST).is_file():
        return None
    record = registry.add(settings.model.folder, why=_FIRST)
    return registry.promote(record.number, why=_FIRST)


def last_offsets(state: State) -> dict[int, int]:
    """Return how far the newest retrained version had read the labels, by partition."""
    for record in reversed(state.versions):
        offsets = record.lineage.get("labels", {}).get("offsets", {})
        if offsets:
            return {int(partition): int(offset) for partition, offset in offsets.items()}
    return {}


def _assemble(settings: Settings, plan: Plan, registry: Registry, progress: Progress) -> Assembled:
    progress("reading labels", 0, 1)
    read = asyncio.run(read_labels(settings))
    progress("reading labels", 1, 1)
    topic = settings.topic_names.labels
    if not any(_teaches(label) for label in read.labels):
        others = f" ({read.unreadable:,} messages on it are no labels)" if read.unreadable else ""
        raise NothingToLearn(
            f"{topic} holds no decision yet{others}", "decide some reviews with `reviews queue`"
        )
    base = plan.base
    if base is None:
        ours = active_taxonomy().part(EXAMPLES)
        base = settings.learning.base or ((ours,) if ours else ())
    frozen = read_frozen(plan.frozen or settings.learning.frozen, plan.unstated)
    share = settings.learning.held_out_share
    audits = _audits(settings, _serving_version(registry, settings), read)
    assembled = assemble(read, topic, read_base(base, plan.unstated), frozen, share, audits)
    if not len(assembled.training):
        raise DataError(
            "every labelled text is held out, frozen or an audit", "label some more reviews"
        )
    lineage = assembled.lineage.model_copy(
        update={
            "family": plan.family,
            "config": plan.config.model_dump(mode="json"),
            "code_version": version("reviews-stream"),
        }
    )
    return replace(assembled, lineage=lineage)


def _audits(settings: Settings, serving: str | None, read: ReadLabels) -> AuditedStream | None:
    """Return the audits of what the serving model published; None: no model serves yet."""
    if serving is None:
        return None
    questions = asyncio.run(read_audit_questions(settings, serving))
    return audited_stream(questions, highest(read.labels), serving)


def _serving_version(registry: Registry, settings: Settings) -> str | None:
    """Return the version that serves; of an empty registry the one that the workers start with.

    None: there is none, or it has other categories.
    """
    if _serves_other_categories(registry, settings):
        return None
    state = registry.state()
    if state.champion is not None:
        return registry.resolve(state.champion, state).version
    if not (settings.model.folder / MANIFEST).is_file():
        return None
    return read_manifest(settings.model.folder).version


def _teaches(label: Label) -> bool:
    return label.category is not None and not label.withdrawn


def _left_unjudged(state: State, lineage: Lineage) -> VersionRecord | None:
    """Return the version that an interrupted run trained on these texts, and the gate has not judged.

    Raises:
        NothingToLearn: a version was trained on them, and the gate or a person decided about it.
    """
    for record in state.versions:
        family = record.family.rpartition("+")[2]  # of a cascade the last stage's
        if record.training_digest == lineage.digest and family == lineage.family:
            if record.number == state.challenger and state.verdict(record.number) is None:
                return record
            raise NothingToLearn(
                f"version {record.number} was trained on exactly these {lineage.rows} texts",
                "decide more reviews, or name another --family or --base",
            )
    return None


def _has_gpu_graph(registry: Registry, settings: Settings) -> bool:
    """Tell whether what serves now can run on a GPU; its successor shall too."""
    return (_served_folder(registry, settings) / GPU_GRAPH).is_file()


def serving_family(settings: Settings) -> str:
    """Return the family of what serves now: of a cascade that of its last stage.

    Its categories may be former ones: a retraining for new ones follows it as well.

    Raises:
        ModelError: no model is there to tell it.
    """
    served = _served_folder(Registry(settings.learning.registry), settings)
    return read_any_manifest(served).family.rpartition("+")[2]


def _serves_other_categories(registry: Registry, settings: Settings) -> bool:
    """Tell whether the taxonomy was changed since: nothing can be compared with what serves then."""
    try:
        return not has_active_categories(read_any_manifest(_served_folder(registry, settings)))
    except ModelError:  # none is there yet, or it is damaged: the gate says so
        return False


def _first_family(registry: Registry, settings: Settings) -> str | None:
    """Return the family of the first stage of what serves now; its successor shall have one, too."""
    try:
        stage = read_manifest(_served_folder(registry, settings)).first_stage
    except ModelError:  # none is there yet, or one of other categories
        return None
    return stage.family if stage else None


def _served_folder(registry: Registry, settings: Settings) -> Path:
    state = registry.state()
    if state.champion is None:
        return settings.model.folder
    return registry.path(registry.resolve(state.champion, state))


def _exporting(*, half_graph: bool, first: str | None = None) -> Trainer:
    def train(
        family: str, dataset: Dataset, folder: Path, config: TrainConfig, progress: Progress
    ) -> Any:
        from training.export.folder import FolderOptions  # noqa: PLC0415 - torch when needed
        from training.train import train_family  # noqa: PLC0415 - likewise

        options = FolderOptions(name=family, half_graph=half_graph)
        if first is not None:
            from training.retrain.cascade import train_cascade  # noqa: PLC0415 - likewise

            return train_cascade(first, family, dataset, folder, config, progress, options)
        return train_family(family, dataset, folder, config, progress, options=options)

    return train


def _train(
    assembled: Assembled, plan: Plan, folder: Path, progress: Progress, train: Trainer
) -> Path:
    started = time.monotonic()
    assembled.training.write(folder / "dataset.jsonl")
    write_atomically(folder / "lineage.json", assembled.lineage.model_dump_json(indent=2) + "\n")
    model = folder / "model"
    # A training that was interrupted goes on where it was.
    config = plan.config
    if config.checkpoints is None:
        config = config.model_copy(update={"checkpoints": folder / "checkpoints"})
    train(plan.family, assembled.training, model, config, progress)
    keep_duration(folder, plan.family, assembled.lineage.rows, time.monotonic() - started)
    return model


def _why(lineage: Lineage) -> str:
    decided = ", ".join(f"{n} by {who}" for who, n in lineage.labels.decided_by.items())
    return f"retrained: {lineage.rows} texts, decisions {decided}"
