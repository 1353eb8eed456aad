"""Both models on audits: a random sample of what the serving model published, decided by people.

The audits tell without bias how right the serving model's published answers are: each was drawn by a
chance that is known, whatever the text, and one over it is its weight (Hajek's ratio, see
:mod:`stream.audit.precision`). Of a candidate they tell less. They hold no review that the serving model
asked about, so that what the candidate would publish besides is not in them. Two things can be compared
on the same audited reviews: which share a model would publish, and how much of that is right. The
candidate is held to its precision there and not to its share: the serving model published all of them,
that is how they became audits, and whatever the candidate gains elsewhere is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas import all_categories
from stream.audit.precision import Audit, Measured, is_below, measure
from stream.model.classifier import Classifier
from stream.settings import GateSettings
from training.data.dataset import Dataset
from training.gate.verdict import AuditFindings, AuditScores, Check


@dataclass(frozen=True, slots=True)
class AuditedStream:
    """Audits of one model's published answers that people decided with a category, unseen.

    Attributes:
        model: version that published them.
        asked: audits of this model that there are, decided or not.
        audits: the decided ones; each has its weight.
        rows: their texts and what people said, in the same order. Reviews of one text are several rows,
            as on the stream.
    """

    model: str
    asked: int
    audits: tuple[Audit, ...]
    rows: Dataset


def compare_on_audits(
    candidate: Classifier, serving: Classifier, stream: AuditedStream
) -> AuditFindings:
    """Let both models answer the audited reviews."""
    published = measure(stream.audits)[-1]
    return AuditFindings(
        model=stream.model,
        asked=stream.asked,
        decided=len(stream.audits),
        effective=published.effective,
        digest=stream.rows.digest,
        as_published=_scores(published, 1.0 if stream.audits else 0.0),
        candidate=_asked_again(candidate, stream),
        serving=_asked_again(serving, stream),
    )


def audit_check(found: AuditFindings, rules: GateSettings) -> Check | None:
    """Judge the candidate's precision on audited reviews; None: too few audits to judge by.

    It fails only if so few right answers would come by chance in less than one of twenty such samples
    (exact binomial test on as many audits of equal weight as would tell as much).
    """
    if found.effective < rules.audit_support:
        return None
    before, now = found.serving.precision, found.candidate.precision
    floor = min(rules.precision, 1.0 if before is None else before) - rules.precision_loss
    return Check(
        blessing="metrics",
        name="precision on audits",
        passed=now is None or not is_below(now, found.candidate.effective, floor),
        found=f"{_share(now)} of what it would publish of them, before {_share(before)}",
        wanted=f"at least {max(floor, 0.0):.1%}, but for chance",
    )


def _asked_again(model: Classifier, stream: AuditedStream) -> AuditScores:
    if not stream.audits:
        return _scores(measure([])[-1], 0.0)
    said = model.classify(stream.rows.normalized)
    best, share = said.probabilities.argmax(axis=1), said.probabilities.max(axis=1)
    would: Sequence[Audit] = [
        replace(audit, category=all_categories()[int(best[i])], confidence=float(share[i]))
        for i, audit in enumerate(stream.audits)
        if said.sure[i]
    ]
    whole = sum(audit.weight or 0.0 for audit in stream.audits)
    return _scores(measure(would)[-1], sum(audit.weight or 0.0 for audit in would) / whole)


def _scores(of: Measured, published: float) -> AuditScores:
    return AuditScores(
        published=published,
        precision=of.precision,
        low=of.low,
        high=of.high,
        effective=of.effective,
    )


def _share(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.1%}"
