"""What the HTTP API takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StringConstraints

from schemas import Category, DecidedBy
from schemas.events import NOTE_CHARS, ReviewId
from stream.queue.item import Item, Kind, Order, Origin, text_print
from stream.queue.records import category_of
from stream.queue.working_set import Found
from stream.sampling import AUDIT

# With a bound a string is checked to be text: JSON can name halves of characters that no UTF-8 holds.
Print = Annotated[str, StringConstraints(max_length=100)]


class ItemOut(BaseModel):
    """A review leased to you."""

    review_id: str
    text: str
    print: str = Field(description="Fingerprint of the text; send it back with the decision.")
    kind: Kind
    expires: datetime = Field(description="Until then nobody else gets it.")
    blind: bool = Field(description="The model's opinion is kept back on purpose.")
    probabilities: dict[Category, float] | None
    reason: str
    queued_at: datetime
    folded: int = Field(description="Near-identical reviews that wait behind it.")
    metadata: dict[str, str]

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return what may be shown of an item."""
        task = item.task
        return cls(
            review_id=item.review_id,
            text=item.text,
            print=item.print,
            kind=item.kind,
            expires=item.expires,
            blind=item.blind,
            probabilities=None if item.blind else dict(item.suggestions),
            # An audit is one among the others.
            reason="low-confidence" if task.reason == AUDIT else task.reason,
            queued_at=task.queued_at,
            folded=item.folded,
            metadata=task.review.metadata,
        )


class NextIn(BaseModel):
    """What is wanted next."""

    order: Order = "informative"
    category: Category | None = Field(None, description="Only reviews that the model takes for it.")
    holding: list[ReviewId] = Field(
        default_factory=list, max_length=10, description="Ids that you hold and still work on."
    )


class NextOut(BaseModel):
    """The next item, or none."""

    item: ItemOut | None
    skipped: int = Field(0, description="Free reviews that you skipped within the hour.")


class DecisionIn(BaseModel):
    """A decision."""

    review_id: ReviewId
    category: Category | None = Field(description="null: cannot tell.")
    print: Print | None = Field(
        None, description="Of the text that was read; refused if it changed."
    )
    kind: Kind | None = None
    seconds: float | None = Field(None, ge=0, le=3600)
    note: str = Field(
        "", max_length=NOTE_CHARS, description="For other people; kept with the label."
    )


class DecisionsIn(BaseModel):
    """Decisions that are published together and undone together."""

    decisions: list[DecisionIn] = Field(min_length=1, max_length=100)


class DecisionsOut(BaseModel):
    """What became of them."""

    decided: list[str]
    refused: dict[str, str] = Field(description="Error code by review id.")


class CorrectionIn(BaseModel):
    """Another decision in the place of the one that holds."""

    review_id: ReviewId
    category: Category | None = Field(description="null: cannot tell.")
    revision: int | None = Field(
        None, ge=0, description="Of the decision that you saw; refused if another one holds."
    )
    note: str = Field("", max_length=NOTE_CHARS, description="Empty: the former one stays.")


class CorrectedOut(BaseModel):
    """What was corrected."""

    review_id: str
    was: Category | None
    labeller: str = Field(description="Who had decided.")


class ReviewIn(BaseModel):
    """Names a review."""

    review_id: ReviewId


class UndoneOut(BaseModel):
    """What waits again."""

    review_ids: list[str]


class HitOut(BaseModel):
    """A waiting review that was found. Nothing is leased."""

    review_id: str
    text: str
    print: str
    informativeness: float | None = Field(description="null where it is blind.")
    leased: bool
    probabilities: dict[Category, float] | None = Field(description="null where it is blind.")

    @classmethod
    def of(cls, hit: Found, *, blind: bool) -> Self:
        """Return what may be shown of a hit."""
        review = hit.task.review
        return cls(
            review_id=review.review_id,
            text=review.text,
            print=text_print(review.text),
            informativeness=None if blind else hit.score,
            leased=hit.leased,
            probabilities=None if blind else hit.task.probabilities,
        )


class ProgressOut(BaseModel):
    """Figures of you and the team."""

    who: str
    waiting: int
    today: int
    total: int
    pace: int = Field(description="Your decisions within the last hour.")
    team_pace: int
    remaining_minutes: int | None


class FiguresOut(BaseModel):
    """How the queue stands. The monitor counts likewise, and so can whoever reads the topics."""

    waiting: int = Field(
        description="Reviews on `reviews.relabel` whose text no decision answers that holds."
    )
    decided: dict[DecidedBy, int] = Field(
        description="Reviews on which a decision holds on `reviews.labels`, by who decided."
    )
    seconds_waiting: int = Field(description="Second opinions that are still to be given.")
    disputes: int


class ActOut(BaseModel):
    """What somebody did, as the audit on ``reviews.judgements`` has it."""

    at: datetime
    who: str
    review_id: str
    category: Category | None = Field(description="null: cannot tell.")
    role: Kind
    origin: Origin = Field(description="Where it was decided: on the page, by a program, ...")
    blind: bool = Field(description="The model's opinion was kept back.")
    undone: bool = Field(description="The act takes an earlier decision back.")
    corrects: bool = Field(description="The act took the place of a decision that held.")
    revision: int

    @classmethod
    def of(cls, act: Mapping[str, Any]) -> Self:
        """Return an act as :meth:`stream.queue.statistics.Statistics.recent` found it."""
        return cls(
            at=datetime.fromtimestamp(act["at"] / 1000, UTC),
            who=act["who"],
            review_id=act["id"],
            category=category_of(act["category"]),
            role=act["role"],
            origin=act["origin"],
            blind=act["blind"],
            undone=act["undone"],
            corrects=act["corrects"],
            revision=act["revision"],
        )
