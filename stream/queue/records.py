"""Events as the working set's scripts take them: small JSON records, and what is derived once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schemas import Category, Judgement, Label, RelabelTask, all_categories, precedence
from stream.queue.item import Opinion, Standing, text_print
from stream.queue.priority import best_category, informativeness
from stream.queue.record_seal import Forged, RecordSeal
from stream.queue.similarity import bands, shingles
from stream.sampling import AUDIT, fraction, in_sample
from stream.text import fingerprint, normalize

SECOND_OPINION = "second-opinion"
BLIND = "blind"
UNSEEN = "-"
"""Stands for a category where audits wait: the model's guess would give the answer away. No slug."""
ORDINARY = "low-confidence"


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A relabel task, ready to be filed."""

    review_id: str
    data: str
    """The task itself, JSON."""
    normalized: str
    shingles: frozenset[str]
    bands: list[str]
    slug: str
    score: float
    queued_ms: int
    confidence: float
    reason: str

    @classmethod
    def of(cls, task: RelabelTask, answered: str | None = None) -> TaskRecord | None:
        """Derive from a task everything by which it is ordered, found and folded.

        Args:
            task: the question.
            answered: fingerprint of the review's text that was decided for good already.

        Returns:
            None if that is this very text: there is nothing left to ask.
        """
        normalized = normalize(task.review.text)
        if answered is not None and fingerprint(normalized) == answered:
            return None
        parts = shingles(normalized)
        # Nothing by which people find, filter or order what waits tells an audit, or its answer.
        is_audit = task.reason == AUDIT
        best = best_category(task.probabilities) or all_categories()[0]
        return cls(
            review_id=task.review.review_id,
            data=task.model_dump_json(),
            normalized=normalized,
            shingles=parts,
            bands=bands(parts),
            slug=UNSEEN if is_audit else best.slug,
            score=fraction(task.review.review_id, AUDIT)
            if is_audit
            else informativeness(task.probabilities),
            queued_ms=int(task.queued_at.timestamp() * 1000),
            confidence=0.0 if is_audit else round(task.probabilities.get(best, 0.0), 6),
            reason=ORDINARY if is_audit else task.reason,
        )

    def arguments(self, cluster: str, seal: RecordSeal) -> list[str]:
        """Return the script's five arguments; ``cluster`` names the fold it belongs to."""
        data = seal.close("task", self.review_id, self.data)
        meta = [
            self.slug,
            self.score,
            self.queued_ms,
            cluster,
            fingerprint(self.normalized),
            self.confidence,
            self.reason,
        ]
        return [self.review_id, _json(meta), data, self.normalized, _json(self.bands)]


def label_record(label: Label, seal: RecordSeal) -> str:
    """Return a decision as the scripts keep it."""
    record = _json(
        {
            "id": label.review_id,
            "revision": label.revision,
            "precedence": precedence(label),
            "print": text_print(label.text),
            "category": _slug(label.category),
            "by": label.decided_by,
            "who": label.labeller,
            "withdrawn": label.withdrawn,
            "note": label.note,
            "blind": label.shown_blind,
            "at": int(label.decided_at.timestamp() * 1000),
        }
    )
    return seal.close("label", label.review_id, record)


def judgement_record(
    judgement: Judgement, tp: str, offset: int, second_share: float, seal: RecordSeal
) -> str:
    """Return a judgement as the scripts count it, with its place on Kafka."""
    other = judgement.corrects or judgement.compared_with
    record = _json(
        {
            "id": judgement.review_id,
            "who": judgement.labeller,
            "role": judgement.role,
            "undone": judgement.undone,
            "category": _slug(judgement.category),
            "suggested": _slug(judgement.suggested),
            "blind": judgement.shown_blind,
            "other_who": other.labeller if other else "",
            "other_category": _slug(other.category) if other else "",
            "corrects": judgement.corrects is not None,
            "at": int(judgement.decided_at.timestamp() * 1000),
            "day": judgement.decided_at.date().isoformat(),
            "revision": judgement.revision,
            "origin": judgement.origin,
            "again": is_asked_again(judgement, second_share),
            "compared": is_compared(judgement),
            "tp": tp,
            "offset": offset,
        }
    )
    return seal.close("judgement", judgement.review_id, record)


def is_asked_again(judgement: Judgement, second_share: float) -> bool:
    """Return whether another person gives a second opinion on a first word.

    Copies that were decided in one go are one decision: only the one that stands for them is sampled.
    """
    sampled = in_sample(second_share, judgement.review_id, SECOND_OPINION)
    return sampled and judgement.copy_of in {None, judgement.review_id}


def is_compared(judgement: Judgement) -> bool:
    """Return whether a decision tells something of people and the model: it was thought about by itself.

    Of copies the one that stands for them; nothing that was ticked in a list of different reviews.
    """
    if judgement.copy_of is not None:
        return judgement.copy_of == judgement.review_id
    return judgement.origin != "bulk"


def standing(record: str) -> Standing:
    """Read a decision back."""
    found: dict[str, Any] = json.loads(record)
    return Standing(
        revision=int(found["revision"]),
        print=found["print"],
        category=category_of(found["category"]),
        decided_by=found["by"],
        labeller=found["who"],
        withdrawn=found["withdrawn"],
        note=found["note"],
        blind=found.get("blind", False),
    )


def first_opinion(record: str) -> Opinion:
    """Return whom a second opinion is to be compared with, from what opened the question.

    That is a first word that is to be judged again, what a correction made of it, or a second one
    that was taken back.

    Raises:
        Forged: the record is another one's, put in this place.
    """
    found: dict[str, Any] = json.loads(record)
    is_first = found["role"] == "first" and (found["again"] or found["corrects"])
    if is_first and not found["undone"]:
        return Opinion(found["who"], category_of(found["category"]))
    if found["undone"] and (found["role"] == "second" or found["corrects"]):
        return Opinion(found["other_who"], category_of(found["other_category"]))
    raise Forged("judgement", found["id"])


def disagreement(record: str) -> tuple[Opinion, Opinion]:
    """Return the two opinions of a disagreement, from the second one, which made it one.

    Raises:
        Forged: the record is another one's, put in this place.
    """
    found: dict[str, Any] = json.loads(record)
    differ = found["category"] != found["other_category"]
    if found["role"] != "second" or found["undone"] or not differ:
        raise Forged("judgement", found["id"])
    return (
        Opinion(found["other_who"], category_of(found["other_category"])),
        Opinion(found["who"], category_of(found["category"])),
    )


def category_of(slug: str) -> Category | None:
    """Return the category of a slug; the empty one stands for "cannot tell"."""
    return Category(slug) if slug else None


def _slug(category: Category | None) -> str:
    return category.slug if category else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
