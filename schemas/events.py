"""Every event that crosses a topic, as pydantic models.

Compatibility: unknown fields are tolerated and ignored, so that a producer may be newer than its
consumer; a missing required field is an error that names it. A change that an old reader could
misunderstand raises ``schema_version``, and readers refuse versions that they do not know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from schemas.taxonomy import Category, inherited_counts, inherited_shares, is_without_heir

SCHEMA_VERSION: Final = 1

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
# What sums are made of. JSON may write a number of any length, and one beyond what 64 bits hold stopped
# whoever added it up. The schemas do not say so: released ones, which say less, still hold.
_MOST: Final = 2**63 - 1
Count = Annotated[int, Field(ge=0, le=_MOST), WithJsonSchema({"minimum": 0, "type": "integer"})]
Bin = Annotated[int, Field(ge=0, le=_MOST), WithJsonSchema({"type": "integer"})]
Amount = Annotated[
    float, Field(ge=0.0, le=_MOST), WithJsonSchema({"minimum": 0.0, "type": "number"})
]
_FIRST_YEAR: Final = 2
_LAST_YEAR: Final = 9998
ReviewId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
# Real reviews stay under 3 thousand characters; 20 thousand leaves room and keeps one event from
# filling a micro-batch on its own.
MAX_TEXT_CHARS: Final = 20_000
# At least one character that is not white space: an empty review is the producer's mistake.
Text = Annotated[str, StringConstraints(pattern=r"\S", max_length=MAX_TEXT_CHARS)]
DecidedBy = Literal["model", "ensemble", "llm", "person"]


def now() -> datetime:
    """Return the current time in UTC, the only time zone on our topics."""
    return datetime.now(UTC)


def _countable(moment: datetime) -> datetime:
    """Refuse the calendar's two ends: seconds since 1970 cannot be told of them, or not read back."""
    # What names no zone is UTC: the reader's own zone would make it another moment for each.
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"the year {moment.year} is beyond what can be counted")
    return moment


Moment = Annotated[datetime, AfterValidator(_countable)]


def _none_without_heir(slug: Any) -> Any:
    """Forget a guess whose category was split or removed since: what a person said still counts."""
    return None if is_without_heir(slug) else slug


class Event(BaseModel):
    """What all events share."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="constants")

    schema_version: int = Field(
        default=SCHEMA_VERSION, description="Version of this event's contract."
    )


class SourcePosition(BaseModel):
    """Where on Kafka the review came from: it names one input event for ever."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    topic: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Review(Event):
    """A review as its producer publishes it to ``reviews.incoming``. Key: ``review_id``."""

    review_id: ReviewId = Field(description="The shop's own id; the key of the message.")
    text: Text = Field(description="What the shopper wrote, as it was written.")
    created_at: datetime | None = Field(default=None, description="When the shopper wrote it.")
    metadata: dict[str, str] = Field(
        default_factory=dict, description="The producer's own fields, passed through untouched."
    )


class CategorizedReview(Event):
    """A decided review on ``reviews.category.<slug>``.

    For one ``review_id`` the highest ``revision`` holds: 0 is the worker's own decision, a later
    decision or correction is higher.
    """

    review: Review
    category: Category
    confidence: Probability = Field(description="Calibrated probability of the category.")
    decided_by: DecidedBy
    decided_at: Moment = Field(default_factory=now)
    revision: int = Field(default=0, ge=0)
    model_version: str | None = Field(default=None, description="The model that was asked.")
    source: SourcePosition | None = Field(
        default=None, description="The input event that this decision answers."
    )


NOTE_CHARS: Final = 500
"""A remark, not a second review."""


class RelabelTask(Event):
    """A review that the model is unsure of, on ``reviews.relabel``."""

    review: Review
    probabilities: Annotated[dict[Category, Probability], BeforeValidator(inherited_shares)] = (
        Field(description="The model's calibrated probabilities, of all categories.")
    )
    reason: Literal["low-confidence", "canary", "audit"] = "low-confidence"
    threshold: Probability = Field(description="What the best category would have needed.")
    strange: str | None = Field(
        default=None,
        description="What is strange about the text, so that the model was not believed however sure "
        "it was: other-script, other-language, letters-lost, unknown-words; more may come.",
    )
    held: bool = Field(
        default=False,
        description="The category is held: its promise was found broken, so that nothing is published as "
        "it, however sure the model is.",
    )
    audit_share: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None,
        description="Of an audit: the chance with which it was drawn. Its weight is one over that.",
    )
    model_version: str
    queued_at: Moment = Field(default_factory=now)
    source: SourcePosition


class Label(Event):
    """A decision about a review, kept for training on the compacted ``reviews.labels``."""

    review_id: ReviewId
    text: Text
    category: Category | None = Field(
        description="None: the labeller looked and cannot tell. The review is not asked again."
    )
    decided_by: DecidedBy
    decided_at: Moment = Field(default_factory=now)
    labeller: str = Field(description="The person's account, or the ensemble's or LLM's name.")
    codebook_version: str
    confidence: Probability | None = None
    revision: int = Field(default=1, ge=1)
    shown_blind: bool = Field(
        default=False, description="The person did not see the model's suggestions."
    )
    model_version: str | None = Field(default=None, description="The model that was unsure.")
    ensemble_version: str | None = Field(
        default=None, description="The fitted ensemble that decided: digest of its file."
    )
    source: SourcePosition | None = None
    note: str = Field(
        default="",
        max_length=NOTE_CHARS,
        description="What the person wrote beside the decision, for other people.",
    )
    withdrawn: bool = Field(
        default=False,
        description="The decision was taken back: there is no category, and the review waits again.",
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: Any) -> Any:
        """Read a category that was split or removed since as a decision that was taken back.

        Left out instead, an earlier and lower label of the review would hold again.
        """
        if isinstance(data, dict) and is_without_heir(data.get("category")):
            return {**data, "category": None, "withdrawn": True}
        return data


class ComparedOpinion(BaseModel):
    """What somebody else had said of the same review."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    labeller: str
    category: Category | None


class Judgement(Event):
    """One act of a person in the review queue, on ``reviews.judgements``: the audit trail.

    ``reviews.labels`` keeps what holds now; this topic keeps who said what and when. Agreement
    between people, the effect of suggestions, and everybody's progress are sums over it.
    """

    review_id: ReviewId
    labeller: str
    role: Literal["first", "second", "adjudication"] = Field(
        description="second: an independent opinion, which decides nothing by itself."
    )
    undone: bool = Field(default=False, description="Takes back what is otherwise the same.")
    category: Category | None = Field(description="None: cannot tell.")
    suggested: Annotated[Category | None, BeforeValidator(_none_without_heir)] = Field(
        default=None, description="The model's best guess."
    )
    shown_blind: bool = Field(default=False, description="The guess was not shown.")
    compared_with: ComparedOpinion | None = Field(
        default=None, description="The first opinion, where this is the second."
    )
    corrects: ComparedOpinion | None = Field(
        default=None,
        description="The decision that this one replaces, of the same text. It is no further decision: "
        "nothing is counted twice.",
    )
    copy_of: ReviewId | None = Field(
        default=None,
        description="Of near-identical reviews that were decided in one go, the one that stands for all; "
        "on itself its own id. What is compared (with the model, with others) counts it alone.",
    )
    decided_at: Moment = Field(default_factory=now)
    seconds: float | None = Field(
        default=None, ge=0.0, description="From showing the review to the decision."
    )
    origin: Literal["page", "bulk", "api", "import"] = "page"
    revision: int = Field(ge=0, description="Of the label that it made or left standing.")
    codebook_version: str


class ModelAnnouncement(Event):
    """The model that workers should serve, on the compacted ``reviews.models``."""

    role: Literal["serving", "shadow", "canary"] = "serving"
    version: str = Field(description="Content digest: the manifest's own version.")
    number: int | None = Field(default=None, description="The registry's immutable number.")
    location: str = Field(description="Folder that holds the model.")
    manifest_digest: str = Field(description="SHA-256 of manifest.json, hexadecimal.")
    canary_share: Probability = Field(default=0.0, description="Share of keys for a canary.")
    announced_at: Moment = Field(default_factory=now)
    announced_by: str = ""
    signature: str = Field(
        default="",
        description="Ed25519, over all other fields: id of the key, a colon, base64. Empty: unsigned.",
    )


class ReplayProgress(Event):
    """How far replays got in a partition of a dead-letter topic, on the compacted ``reviews.replays``.

    Key: topic and partition. It is published inside the transaction that sends the letters back. A letter
    that was sent never waits again: of several records a letter waits only if all say so.
    """

    topic: str = Field(description="The dead-letter topic.")
    topic_id: str = Field(
        default="",
        description="Its id, hexadecimal: one that is deleted and made anew has another. Empty: the "
        "brokers name none.",
    )
    partition: Count
    position: Count = Field(description="What stands from here on waits.")
    left: list[tuple[Count, Count]] = Field(
        default_factory=list,
        description="What waits before that: first and last offset, both included, in order and apart.",
    )
    recorded_at: Moment = Field(default_factory=now)

    @model_validator(mode="after")
    def _in_order(self) -> ReplayProgress:
        at = -1
        for first, last in self.left:
            if not at < first <= last < self.position:
                raise ValueError(f"left: {first} to {last} is out of order")
            at = last
        return self


class GuardDecision(Event):
    """A category of a model is held, or released again, on ``reviews.guard``; kept for ever.

    Key: model version and category. Decisions about one of them are numbered from 1 without a gap, and
    change between held and released: whatever else stands on the topic does not count.
    """

    category: Category
    model_version: str
    number: int = Field(ge=1, le=_MOST, description="One above the decision before it.")
    action: Literal["held", "released"]
    promised: Probability | None = Field(
        default=None, description="Precision that was promised; of what is held."
    )
    audited: Count = Field(default=0, description="Audits that people have decided.")
    right: Count = Field(default=0, description="Of them, those published rightly.")
    evidence: Amount = Field(
        default=0.0,
        description="Betting score against the promise: one this high comes by chance, however often it "
        "is looked at, with a probability of one over it.",
    )
    decided_at: Moment = Field(default_factory=now)
    decided_by: str = Field(
        description="Of what is held: the monitor. Of what is released: a person."
    )
    note: str = Field(default="", max_length=1000, description="In a person's words.")
    seal: str = Field(
        default="",
        description="Keyed BLAKE2b over all other fields, hexadecimal. Empty: not sealed.",
    )


class CategoryCount(BaseModel):
    """One category's part of a batch."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    published: Count = Field(default=0)
    relabelled: Count = Field(default=0, description="By the model's best guess.")
    confidence_sum: Amount = Field(default=0.0, description="Over both.")
    published_confidence: Amount = Field(
        default=0.0,
        description="Over the published: so many of them are expected to be right. 0: not told, by a "
        "worker of an earlier version.",
    )


CONFIDENCE_BINS: Final = 20


class BatchSummary(Event):
    """What one transaction of one worker held, on ``reviews.batches``.

    It is published inside the transaction that it sums up, so that sums over the topic are exact.
    """

    worker: str
    model_version: str
    refused_model: str | None = Field(
        default=None,
        description="Version that was announced to serve and that this worker refused.",
    )
    source_topic: str
    source_partition: Count
    first_offset: Count
    last_offset: Count
    reviews: Count = Field(
        description="Input events: what was published, relabelled, dead and deleted together.",
    )
    published: Count
    relabelled: Count
    dead: Count
    deleted: Count = Field(default=0, description="Tombstones and deletes: nothing to classify.")
    strange: Count = Field(
        default=0, description="Of the relabelled, texts that no model could know."
    )
    held: Count = Field(default=0, description="Of the relabelled, those whose category is held.")
    unread_dates: Count = Field(
        default=0, description="Reviews whose date could not be read; it is in the metadata."
    )
    cache_hits: Count
    first_stage: Count = Field(
        default=0,
        description="Reviews that the first stage of a cascade decided. The cache does not keep the "
        "stage: its hits are none of them.",
    )
    audited: Count = Field(
        default=0, description="Of the published, those that people are asked about as well."
    )
    categories: Annotated[dict[Category, CategoryCount], BeforeValidator(inherited_counts)] = Field(
        default_factory=dict
    )
    confidence_histogram: list[Bin] = Field(
        default_factory=lambda: [0] * CONFIDENCE_BINS,
        min_length=CONFIDENCE_BINS,
        max_length=CONFIDENCE_BINS,
        description="Counts in 20 equal bins of 0 to 1.",
    )
    tokens: Count = Field(default=0, description="Word pieces, [CLS] and [SEP] included.")
    unknown_tokens: Count = Field(default=0, description="Word pieces not in the vocabulary.")
    queue_seconds: Amount = Field(default=0.0, description="Mean wait before inference.")
    tokenize_seconds: Amount = Field(default=0.0)
    inference_seconds: Amount = Field(default=0.0)
    first_event_at: Moment = Field(description="Earliest Kafka timestamp in the batch.")
    last_event_at: Moment = Field(description="Latest Kafka timestamp in the batch.")
    processed_at: Moment = Field(default_factory=now)


class CategoryWindow(Event):
    """Statistics of one category over one window of event time, on ``reviews.stats``."""

    category: Category
    window_start: Moment
    window_end: Moment
    published: int = Field(ge=0)
    relabelled: int = Field(ge=0)
    rate_per_second: float = Field(ge=0.0)
    mean_confidence: Probability | None = None
    relabel_share: Probability | None = None
    decided_by: dict[DecidedBy, int] = Field(default_factory=dict)
    mix_psi: float | None = Field(
        default=None, description="Population stability index of the category mix."
    )
    mix_js: float | None = Field(
        default=None, description="Jensen-Shannon divergence (bits) of the category mix."
    )
    confidence_psi: float | None = None
    final: bool = Field(default=False, description="No later event can change this window.")


EVENTS: Final[tuple[type[Event], ...]] = (
    Review,
    CategorizedReview,
    RelabelTask,
    Label,
    Judgement,
    ReplayProgress,
    ModelAnnouncement,
    GuardDecision,
    BatchSummary,
    CategoryWindow,
)
