"""What is summed up of one partition's batches over a stretch of event time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Self

from schemas import CONFIDENCE_BINS, BatchSummary, CategoryCount, all_categories

NOTHING_APPLIED: Final = -1


@dataclass(slots=True)
class Tally:
    """One category's part of a bucket."""

    published: int = 0
    relabelled: int = 0
    confidence: float = 0.0
    """Sum of the confidences of both."""
    told: int = 0
    """Published reviews whose confidence is known: workers of former versions do not tell."""
    expected: float = 0.0
    """Sum of the confidences of those."""

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.published += other.published
        self.relabelled += other.relabelled
        self.confidence += other.confidence
        self.told += other.told
        self.expected += other.expected

    @property
    def reviews(self) -> int:
        """Reviews whose best guess is this category."""
        return self.published + self.relabelled


@dataclass(slots=True)
class Bucket:
    """Sums over batch summaries.

    ``applied`` is the offset of the last summary taken in. A summary that comes again, because the
    monitor died between writing its state and committing its position, is thereby known and left
    out: at-least-once delivery, exactly-once sums.
    """

    applied: int = NOTHING_APPLIED
    latest: float = 0.0
    """Latest event time, seconds since 1970."""
    batches: int = 0
    reviews: int = 0
    published: int = 0
    relabelled: int = 0
    audited: int = 0
    """Published, and asked about as well."""
    dead: int = 0
    held: int = 0
    deleted: int = 0
    """Tombstones and deletes."""
    late: int = 0
    """Reviews of batches that came after their window was closed: in totals, in no window."""
    cache_hits: int = 0
    first_stage: int = 0
    """Decided by the first stage of a cascade."""
    tokens: int = 0
    unknown_tokens: int = 0
    queue_seconds: float = 0.0
    """Sum over reviews of the wait before inference."""
    tokenize_seconds: float = 0.0
    inference_seconds: float = 0.0
    worst_delay: float = 0.0
    """Longest time from a review's timestamp to its outcome, seconds."""
    categories: dict[str, Tally] = field(default_factory=dict)
    histogram: list[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)
    models: dict[str, int] = field(default_factory=dict)
    """Reviews by model version."""
    workers: dict[str, int] = field(default_factory=dict)
    """Reviews by worker."""

    @classmethod
    def of(cls, summary: BatchSummary, event_time: float) -> Self:
        """Return the sums over a single batch."""
        delay = (summary.processed_at - summary.first_event_at).total_seconds()
        return cls(
            latest=event_time,
            batches=1,
            reviews=summary.reviews,
            published=summary.published,
            relabelled=summary.relabelled,
            audited=summary.audited,
            held=summary.held,
            dead=summary.dead,
            deleted=summary.deleted,
            cache_hits=summary.cache_hits,
            first_stage=summary.first_stage,
            tokens=summary.tokens,
            unknown_tokens=summary.unknown_tokens,
            queue_seconds=summary.queue_seconds * summary.reviews,
            tokenize_seconds=summary.tokenize_seconds,
            inference_seconds=summary.inference_seconds,
            worst_delay=max(delay, 0.0),
            categories={
                category.slug: _tally(count) for category, count in summary.categories.items()
            },
            histogram=list(summary.confidence_histogram),
            models={summary.model_version: summary.reviews},
            workers={summary.worker: summary.reviews},
        )

    def add(self, other: Bucket) -> None:
        """Take another bucket's sums in; ``applied`` stays."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latest = max(self.latest, other.latest)
        self.worst_delay = max(self.worst_delay, other.worst_delay)
        for slug, tally in other.categories.items():
            self.categories.setdefault(slug, Tally()).add(tally)
        self.histogram = [a + b for a, b in zip(self.histogram, other.histogram, strict=True)]
        for mine, theirs in ((self.models, other.models), (self.workers, other.workers)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count

    def take(self, other: Bucket, offset: int) -> bool:
        """Add what the summary at ``offset`` brought, unless that was done before."""
        if offset <= self.applied:
            return False
        self.add(other)
        self.applied = offset
        return True

    def mix(self) -> list[int]:
        """Return the reviews by best guess, in the order of the categories."""
        return [self.categories.get(c.slug, Tally()).reviews for c in all_categories()]

    @property
    def classified(self) -> int:
        """Reviews that the model answered."""
        return self.published + self.relabelled

    @property
    def relabel_share(self) -> float | None:
        """Share of the classified that the model was unsure of; None: there were none."""
        return self.relabelled / self.classified if self.classified else None

    @property
    def first_stage_share(self) -> float | None:
        """Share of what a model computed that the first stage of a cascade decided; None: there is none."""
        computed = self.classified - self.cache_hits
        return min(self.first_stage / computed, 1.0) if self.first_stage and computed > 0 else None

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of the classified; None: there were none."""
        total = sum(tally.confidence for tally in self.categories.values())
        return min(total / self.classified, 1.0) if self.classified else None

    @property
    def unknown_share(self) -> float | None:
        """Share of word pieces that the vocabulary does not hold; None: there were none."""
        return self.unknown_tokens / self.tokens if self.tokens else None

    @property
    def model(self) -> str | None:
        """The model that answered most."""
        return max(self.models, key=self.models.__getitem__, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return what a changelog keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` gave; fields that are unknown here are left out."""
        known = {name: value[name] for name in _FIELDS if name in value}
        known["categories"] = {s: Tally(**t) for s, t in known.get("categories", {}).items()}
        return cls(**known)


def _tally(count: CategoryCount) -> Tally:
    told = count.published if count.published_confidence else 0
    return Tally(
        count.published, count.relabelled, count.confidence_sum, told, count.published_confidence
    )


_SUMS: Final = (
    "batches",
    "reviews",
    "published",
    "relabelled",
    "audited",
    "held",
    "dead",
    "deleted",
    "late",
    "cache_hits",
    "first_stage",
    "tokens",
    "unknown_tokens",
    "queue_seconds",
    "tokenize_seconds",
    "inference_seconds",
)
_FIELDS: Final = tuple(f.name for f in fields(Bucket))
