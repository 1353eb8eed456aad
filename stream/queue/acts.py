"""What a person's word becomes: the events of one act, and what it takes to undo it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel

from schemas import (
    CategorizedReview,
    Category,
    ComparedOpinion,
    DecidedBy,
    Judgement,
    Label,
    RelabelTask,
)
from stream.queue.item import DecidedItem, Item, Origin, Standing
from stream.queue.priority import best_category

AUTOMATIC_REVISION = 1
"""What the auto-labeller publishes with. A person's first word is one above it, so that the person
holds even where both answer at the same moment."""


class Before(BaseModel):
    """The decision that an adjudication or a correction replaced."""

    category: Category | None
    decided_by: DecidedBy
    labeller: str
    note: str = ""
    blind: bool = False


class UndoStep(BaseModel):
    """Enough of an act to take it back."""

    task: RelabelTask
    judgement: Judgement
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """The events that are published together, all or none."""

    task: RelabelTask
    judgement: Judgement
    label: Label | None = None
    categorized: CategorizedReview | None = None
    before: Before | None = None

    @property
    def undo(self) -> UndoStep:
        """What it takes to undo this act."""
        return UndoStep(task=self.task, judgement=self.judgement, before=self.before)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of the item before them."""

    who: str
    category: Category | None
    """None: cannot tell."""
    origin: Origin = "page"
    seconds: float | None = None
    shown: bool = False
    """They saw the model's guess although the item was meant to be blind."""
    copy_of: str | None = None
    """Of near-identical reviews that are decided in one go, the one that stands for all."""
    note: str = ""
    """What they wrote beside it."""


def act_on(item: Item, verdict: Verdict, standing: Standing | None, codebook_version: str) -> Act:
    """Return the events that a verdict leads to.

    A first word and an adjudication become the label that holds, and go on to the category's topic
    unless the person could not tell. A second opinion is only recorded.

    Args:
        item: what the person was asked.
        verdict: what they said.
        standing: the decision that holds until now.
        codebook_version: by which rules they decided.
    """
    known = standing.revision if standing is not None else 0
    decides = item.kind != "second"
    revision = max(known, AUTOMATIC_REVISION) + 1 if decides else known
    judgement = _judgement(item, verdict, revision, codebook_version)
    if not decides:
        return Act(item.task, judgement)
    label = _label(item.task, judgement, verdict.category, verdict.note)
    before = None
    if item.kind == "adjudication" and standing is not None:
        before = _before(standing)
    return Act(item.task, judgement, label, _categorized(item.task, label), before)


def correct(item: DecidedItem, verdict: Verdict, codebook_version: str) -> Act:
    """Return the events by which another decision takes the place of the one that holds.

    Args:
        item: what was decided, and how.
        verdict: what holds from now on.
        codebook_version: by which rules they decided.
    """
    held = item.standing
    judgement = Judgement(
        review_id=item.task.review.review_id,
        labeller=verdict.who,
        role="first",
        category=verdict.category,
        suggested=best_category(item.task.probabilities),
        corrects=ComparedOpinion(labeller=held.labeller, category=held.category),
        origin=verdict.origin,
        revision=max(held.revision, AUTOMATIC_REVISION) + 1,
        codebook_version=codebook_version,
    )
    label = _label(item.task, judgement, verdict.category, verdict.note)
    return Act(item.task, judgement, label, _categorized(item.task, label), _before(held))


def undo_act(step: UndoStep) -> Act:
    """Return the events that take an act back: the same judgement undone, a higher revision.

    A first word is withdrawn, and the review waits again; an adjudication or a correction gives way to
    the decision that it replaced; an opinion is merely struck from the record.
    """
    decides = step.judgement.role != "second"
    revision = step.judgement.revision + (1 if decides else 0)
    judgement = step.judgement.model_copy(
        update={
            "undone": True,
            "revision": revision,
            "decided_at": datetime.now(UTC),
        }
    )
    if not decides:
        return Act(step.task, judgement)
    if step.before is None:
        label = _label(step.task, judgement, None).model_copy(update={"withdrawn": True})
        return Act(step.task, judgement, label)
    label = _label(step.task, judgement, step.before.category, step.before.note).model_copy(
        update={
            "decided_by": step.before.decided_by,
            "labeller": step.before.labeller,
            # An audit that was decided unseen counts again: nobody takes evidence away by two clicks.
            "shown_blind": step.before.blind,
        }
    )
    return Act(step.task, judgement, label, _categorized(step.task, label))


def _before(held: Standing) -> Before:
    return Before(
        category=held.category,
        decided_by=held.decided_by,
        labeller=held.labeller,
        note=held.note,
        blind=held.blind,
    )


def _judgement(item: Item, verdict: Verdict, revision: int, codebook_version: str) -> Judgement:
    compared = None
    if item.kind == "second":
        first = item.opinions[0]
        compared = ComparedOpinion(labeller=first.labeller, category=first.category)
    return Judgement(
        review_id=item.review_id,
        labeller=verdict.who,
        role=item.kind,
        category=verdict.category,
        suggested=item.suggested,
        shown_blind=item.blind and not verdict.shown,
        compared_with=compared,
        copy_of=verdict.copy_of,
        seconds=verdict.seconds,
        origin=verdict.origin,
        revision=revision,
        codebook_version=codebook_version,
    )


def _label(
    task: RelabelTask, judgement: Judgement, category: Category | None, note: str = ""
) -> Label:
    return Label(
        review_id=task.review.review_id,
        text=task.review.text,
        category=category,
        decided_by="person",
        decided_at=judgement.decided_at,
        labeller=judgement.labeller,
        codebook_version=judgement.codebook_version,
        revision=judgement.revision,
        shown_blind=judgement.shown_blind,
        model_version=task.model_version,
        source=task.source,
        note=note,
    )


def _categorized(task: RelabelTask, label: Label) -> CategorizedReview | None:
    if label.category is None:
        return None
    return CategorizedReview(
        review=task.review,
        category=label.category,
        confidence=1.0,
        decided_by=label.decided_by,
        decided_at=label.decided_at,
        revision=label.revision,
        model_version=task.model_version,
        source=task.source,
    )
