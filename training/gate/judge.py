"""The gate: both blessings, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas import active_taxonomy
from stream.errors import ModelError
from stream.model.folder import read_manifest
from stream.model.trial import Trial
from stream.settings import GateSettings, ModelSettings
from training.data.dataset import read_test_dataset
from training.fit.config import Progress, silent
from training.gate.audits import AuditedStream, audit_check, compare_on_audits
from training.gate.frozen import CANARIES, FrozenSet, together
from training.gate.infrastructure import infrastructure_checks, load, not_loaded
from training.gate.metrics import canary_check, compare, metric_checks
from training.gate.verdict import Check, GateVerdict, ModelName
from training.registry.records import now


def judge(
    candidate: Path,
    serving: Path | None,
    sets: Sequence[FrozenSet],
    rules: GateSettings,
    *,
    model: ModelSettings | None = None,
    audits: AuditedStream | None = None,
    numbers: tuple[int | None, int | None] = (None, None),
    progress: Progress = silent,
) -> GateVerdict:
    """Compare a candidate with the serving model and decide whether it may take its place.

    Args:
        candidate: model folder.
        serving: model folder, or None if no model serves yet.
        sets: labelled texts that neither was trained on.
        rules: the limits.
        model: how a worker would load them; the settings in force unless given.
        audits: of what the serving model published; those of another model are not judged by.
        numbers: of candidate and serving in the registry, for the report.
        progress: is told how far it is.

    Raises:
        ModelError: the *serving* model cannot be loaded: there is nothing to compare with.
        DataError: the canaries cannot be read.
    """
    how = model or ModelSettings()
    texts = together(list(sets)).rows.normalized
    new_name = ModelName(**_identity(candidate), number=numbers[0])
    old_name = None
    if serving is not None:
        old_name = ModelName(**_identity(serving), number=numbers[1])

    def verdict(checks: Sequence[Check], **findings: object) -> GateVerdict:
        return GateVerdict.model_validate(
            {
                "at": now(),
                "candidate": new_name,
                "serving": old_name,
                "checks": tuple(checks),
                "rules": rules,
                **findings,
            }
        )

    progress("infrastructure", 0, 3)
    old = None if serving is None else load(serving, how, texts)[0]
    try:
        Trial(candidate, how).run()  # what may never end must not do so here
        new, loads = load(candidate, how, texts)
    except ModelError as error:
        return verdict([not_loaded(error)])
    speed, checks = infrastructure_checks(new, old, texts, rules)
    progress("metrics", 1, 3)
    old_model = None if old is None else old.model
    findings, categories = compare(new.model, old_model, sets, rules)
    audited = None
    if audits and old_model and old_name and audits.model == old_name.version:
        audited = compare_on_audits(new.model, old_model, audits)
    by_audits = None if audited is None else audit_check(audited, rules)
    progress("canaries", 2, 3)
    canaries = rules.canaries or active_taxonomy().part(CANARIES)
    judged = [
        *metric_checks(findings, categories, rules),
        *((by_audits,) if by_audits else ()),
        *(canary_check(new.model, old_model, read_test_dataset(canaries)) if canaries else ()),
    ]
    progress("gate", 3, 3)
    return verdict(
        [loads, *checks, *judged],
        sets=findings,
        categories=categories,
        speed=speed,
        audits=audited,
    )


def _identity(folder: Path) -> dict[str, str]:
    try:
        manifest = read_manifest(folder)
    except ModelError:  # the check that follows says what is wrong with it
        return {"version": "unreadable", "name": folder.name}
    return {"version": manifest.version, "name": manifest.name}
