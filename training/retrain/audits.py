"""Audits of the serving model, read off Kafka: what is kept out of training to judge models by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from schemas import Label, RelabelTask
from stream.audit.precision import Audit
from stream.clients import RelabelConsumer
from stream.errors import TopicMissing
from stream.sampling import fraction
from stream.settings import Settings
from stream.text import normalize
from training.data.dataset import labelled
from training.data.origins import Origin
from training.gate.audits import AuditedStream

MOST: Final = 2000
"""Audits that are kept out of training: at 95% their standard error is half a point. More teach instead."""
_PURPOSE: Final = "audits-held-out"


async def read_audit_questions(settings: Settings, model: str) -> list[RelabelTask]:
    """Read the questions by which people audit what a model published.

    Read the labels first: a question stands on Kafka before its answer, so that none is missed.

    Args:
        settings: connection and topics.
        model: its version.

    Raises:
        BrokerError: no broker answers, or it refuses us.
        TopicMissing: there is no topic of questions.
    """
    try:
        async with RelabelConsumer(settings=settings, follow=False) as questions:
            return [q async for q in questions if q.reason == "audit" and q.model_version == model]
    except TopicMissing as missing:
        # A broker does not name topics to who may not see them.
        rights = "or, with ACLs, `reviews acl trainer --apply`: the trainer's role reads it"
        raise TopicMissing(missing.message, f"{missing.remedy}; {rights}") from None


def audited_stream(
    questions: Iterable[RelabelTask],
    labels: Mapping[str, Label],
    model: str,
    most: int = MOST,
) -> AuditedStream:
    """Return the audits of a model's published answers that people decided without seeing them.

    Of more than ``most`` those with the lowest hash are taken: a random part of a random sample, so that
    no weight changes against another. It is the same in every retraining, and as more are decided a
    review only ever leaves it.

    Args:
        questions: audits; of one review the last counts.
        labels: that hold, by review id.
        model: version whose audits are meant.
        most: are taken.
    """
    asked = {q.review.review_id: q for q in questions if q.model_version == model}
    audits = {review_id: audit for review_id, q in asked.items() if (audit := Audit.of(q))}
    decided: dict[str, Audit] = {}
    for review_id, audit in audits.items():
        label = labels.get(review_id)
        # Of a review that was edited meanwhile, people decided another text than was published.
        if label and normalize(label.text) == normalize(asked[review_id].review.text):
            answered = audit.answered(label)
            if answered.said is not None:
                decided[review_id] = answered
    taken = sorted(decided, key=lambda review_id: fraction(review_id, _PURPOSE))[:most]
    # As in `measure`: workers of an earlier version did not say the chance.
    known = [audit.weight for audit in decided.values() if audit.weight is not None]
    usual = sum(known) / len(known) if known else 1.0
    chosen = [replace(decided[i], weight=decided[i].weight or usual) for i in taken]
    rows = labelled(
        [asked[i].review.text for i in taken],
        [audit.said.id for audit in chosen if audit.said is not None],
        Origin.PERSON,
    )
    return AuditedStream(model, len(audits), tuple(chosen), rows)
