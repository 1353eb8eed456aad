"""The first blessing: it is better, no category pays for it, and its confidence can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas import all_categories, category_count
from stream.model.classifier import Classifier
from stream.settings import GateSettings
from training.data.dataset import Dataset
from training.gate.frozen import FrozenSet, together
from training.gate.verdict import CategoryFindings, Check, FrozenScores, SetFindings
from training.measures.calibration import expected_calibration_error
from training.measures.metrics import (
    accuracy,
    bootstrap,
    category_scores,
    macro_f1,
    paired_bootstrap,
    weighted_f1,
)

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model says of some rows: calibrated probabilities, and whether it would publish."""

    probabilities: NDArray[np.float32]
    sure: NDArray[np.bool_]

    @property
    def best(self) -> Ids:
        """The most probable categories, int64 [rows]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def ask(model: Classifier, rows: Dataset) -> Answers:
    """Let a model classify all rows."""
    said = model.classify(rows.normalized)
    return Answers(said.probabilities, said.sure)


def compare(
    candidate: Classifier,
    serving: Classifier | None,
    sets: Sequence[FrozenSet],
    rules: GateSettings,
) -> tuple[list[SetFindings], list[CategoryFindings]]:
    """Let both models answer all sets, one by one and, where there are several, together."""
    everything = together(list(sets))
    asked = [*sets, everything] if len(sets) > 1 else list(sets)
    findings = [_on_set(candidate, serving, frozen, rules) for frozen in asked]
    return findings, _by_category(candidate, serving, everything.rows)


def metric_checks(
    findings: Sequence[SetFindings],
    categories: Sequence[CategoryFindings],
    rules: GateSettings,
) -> Iterator[Check]:
    """Judge what :func:`compare` found; the last set is all of them together."""
    *_, everything = findings
    yield _better(everything, rules)
    for one in findings[:-1]:
        if one.difference is not None:
            yield _check(
                f"not worse on {one.name}",
                one.difference.high >= 0,
                f"weighted F1 differs by {one.difference}",
                "an interval that reaches zero",
            )
    yield from _floors(categories, rules)
    yield _precision(everything, rules)
    yield from _published(everything, rules)
    yield _calibration(everything, rules)


def canary_check(
    candidate: Classifier, serving: Classifier | None, canaries: Dataset
) -> Iterator[Check]:
    """Check that no canary which the serving model gets right is lost. Without one: all of them."""
    truth = canaries.categories
    right = ask(candidate, canaries).best == truth
    kept = np.ones(len(truth), bool) if serving is None else ask(serving, canaries).best == truth
    lost = np.flatnonzero(kept & ~right)
    named = ", ".join(f"«{canaries.texts[i]}»" for i in lost[:3])
    # A first model may err on one in ten; one that follows another may lose none.
    allowed = len(truth) // 10 if serving is None else 0
    yield _check(
        "canaries",
        len(lost) <= allowed,
        f"{len(lost)} of {int(kept.sum())} lost{': ' if named else ''}{named}",
        "none lost" if not allowed else f"at most {allowed} wrong",
    )


def _on_set(
    candidate: Classifier, serving: Classifier | None, frozen: FrozenSet, rules: GateSettings
) -> SetFindings:
    rows, truth = frozen.rows, frozen.rows.categories
    new = ask(candidate, rows)
    old = None if serving is None else ask(serving, rows)
    pair = None
    if old is not None:
        pair = paired_bootstrap(weighted_f1, truth, new.best, old.best, resamples=rules.resamples)
    return SetFindings(
        name=frozen.name,
        rows=len(rows),
        digest=rows.digest,
        labels={str(origin): count for origin, count in rows.origins().items()},
        by_people=sum(origin.by_person for origin in rows.origin),
        candidate=_scores(new, truth, rules),
        serving=None if old is None else _scores(old, truth, rules),
        difference=None if pair is None else pair.difference,
        p_better=None if pair is None else pair.p_better,
    )


def _scores(answers: Answers, truth: Ids, rules: GateSettings) -> FrozenScores:
    best, sure = answers.best, answers.sure
    return FrozenScores(
        weighted_f1=bootstrap(weighted_f1, truth, best, resamples=rules.resamples),
        macro_f1=macro_f1(truth, best),
        accuracy=accuracy(truth, best),
        published=float(sure.mean()),
        precision=float((best == truth)[sure].mean()) if sure.any() else None,
        calibration_error=expected_calibration_error(answers.probabilities, truth),
    )


def _by_category(
    candidate: Classifier, serving: Classifier | None, rows: Dataset
) -> list[CategoryFindings]:
    new = category_scores(rows.categories, ask(candidate, rows).best)
    old = None if serving is None else category_scores(rows.categories, ask(serving, rows).best)
    return [
        CategoryFindings(
            category=category.slug,
            rows=new[i].support,
            candidate_f1=new[i].f1,
            serving_f1=None if old is None else old[i].f1,
        )
        for i, category in enumerate(all_categories())
    ]


def _better(everything: SetFindings, rules: GateSettings) -> Check:
    if everything.difference is None or everything.p_better is None:
        # Nobody serves yet: more than chance is the least that can be asked.
        low = everything.candidate.weighted_f1.low
        found = f"weighted F1 {everything.candidate.weighted_f1}, and no model to compare with"
        return _check("better", low > 1 / category_count(), found, "better than guessing")
    return _check(
        "better",
        everything.p_better >= rules.better_with,
        f"weighted F1 {everything.difference.value:+.3f} "
        f"[{everything.difference.low:+.3f}, {everything.difference.high:+.3f}], "
        f"better in {everything.p_better:.1%} of the resamples",
        f"at least {rules.better_with:.0%}",
    )


def _floors(categories: Sequence[CategoryFindings], rules: GateSettings) -> Iterator[Check]:
    for one in categories:
        if one.serving_f1 is None or one.rows < rules.category_support:
            continue
        floor = one.serving_f1 - rules.category_loss
        yield _check(
            f"floor of {one.category}",
            one.candidate_f1 >= floor,
            f"F1 {one.candidate_f1:.3f}, before {one.serving_f1:.3f}",
            f"at least {max(floor, 0.0):.3f}",
        )


def _precision(everything: SetFindings, rules: GateSettings) -> Check:
    before = None if everything.serving is None else everything.serving.precision
    floor = min(rules.precision, 1.0 if before is None else before) - rules.precision_loss
    now = everything.candidate.precision
    found = "nothing is published" if now is None else f"{now:.3f}"
    shown = "" if before is None else f", before {before:.3f}"
    return _check(
        "precision of what is published",
        now is None or now >= floor,
        found + shown,
        f"at least {floor:.3f}",
    )


def _published(everything: SetFindings, rules: GateSettings) -> Iterator[Check]:
    """A cautious model must not drown people in questions; a reckless one may be made cautious."""
    before = everything.serving
    if before is None or (before.precision or 0.0) < rules.precision - rules.precision_loss:
        return
    floor = before.published - rules.published_loss
    yield _check(
        "share that is published",
        everything.candidate.published >= floor,
        f"{everything.candidate.published:.1%}, before {before.published:.1%}",
        f"at least {max(floor, 0.0):.1%}",
    )


def _calibration(everything: SetFindings, rules: GateSettings) -> Check:
    before = None if everything.serving is None else everything.serving.calibration_error
    most = max(rules.calibration_error, before or 0.0)
    now = everything.candidate.calibration_error
    shown = "" if before is None else f", before {before:.3f}"
    return _check(
        "calibration",
        now <= most,
        f"expected calibration error {now:.3f}{shown}",
        f"at most {most:.3f}",
    )


def _check(name: str, passed: bool, found: str, wanted: str) -> Check:
    return Check(blessing="metrics", name=name, passed=bool(passed), found=found, wanted=wanted)
