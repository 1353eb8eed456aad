"""Names and policies of the topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from schemas.taxonomy import Category, all_categories

DAY_MS: Final = 24 * 60 * 60 * 1000
FOREVER_MS: Final = -1
Layout = Literal["categories", "single"]
CATEGORY_HEADER: Final = "category"
DEAD_LETTER_MAX_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicPolicy:
    """How the broker keeps a topic."""

    name: str
    description: str
    cleanup: str = "delete"
    retention_ms: int | None = 7 * DAY_MS
    single_partition: bool = False
    max_message_bytes: int | None = None
    max_compaction_lag_ms: int | None = None
    """What a tombstone erases is gone from the broker's disks after this, and one cleaning."""
    foreign: bool = False
    """Somebody else's: neither made nor judged by us, whatever its settings are."""

    def config(self) -> dict[str, str]:
        """Return the topic's configuration as Kafka names it; of one that is not ours, none.

        Records are dated by the broker. By producers' dates retention would delete a review of last year
        within minutes, often before it is read; and a broker refuses what is dated an hour ahead or more
        (``message.timestamp.after.max.ms``): a worker whose clock is wrong would stand still.
        """
        if self.foreign:
            return {}
        config = {"cleanup.policy": self.cleanup, "message.timestamp.type": "LogAppendTime"}
        if self.retention_ms is not None and "delete" in self.cleanup:
            config["retention.ms"] = str(self.retention_ms)
        if self.max_compaction_lag_ms is not None:
            config["max.compaction.lag.ms"] = str(self.max_compaction_lag_ms)
        if self.max_message_bytes is not None:
            config["max.message.bytes"] = str(self.max_message_bytes)
        return config

    def falls_short(self, found: Mapping[str, str | None]) -> dict[str, str]:
        """Return those of its settings that a topic does not satisfy, as they should be.

        To be kept for longer, to take larger messages or to be compacted earlier is more than is asked
        for, and fine.

        Args:
            found: what the broker says of the topic; what it does not say counts as satisfied.
        """
        return {
            name: wanted
            for name, wanted in self.config().items()
            if name in found and not _satisfies(name, found[name], wanted)
        }


def _satisfies(name: str, found: str | None, wanted: str) -> bool:
    if found == wanted:
        return True
    try:
        has, asked = int(found or ""), int(wanted)
    except ValueError:  # a name, or what no broker of Kafka's own says
        return False
    match name:
        case "retention.ms":
            return has == FOREVER_MS or FOREVER_MS != asked <= has
        case "max.message.bytes":
            return has >= asked
        case "max.compaction.lag.ms":
            return has <= asked
        case _:
            return False


@dataclass(frozen=True, slots=True)
class TopicNames:
    """All topic names under one prefix, ``reviews`` unless set."""

    prefix: str = "reviews"
    output_suffix: str = ""
    """What the topics of a worker's outcomes end with: a backfill's has one, the live have none."""
    layout: Layout = "categories"
    """Where decided reviews go: a topic a category, or one topic for all, with the slug in the header
    ``category``. With many categories a transaction over as many topics costs more than a filter."""
    existing: str = ""
    """A topic of somebody's own that is read instead of ``<prefix>.incoming``."""

    @property
    def incoming(self) -> str:
        """Where producers publish :class:`~schemas.events.Review`, or something that is read as one."""
        return self.existing or f"{self.prefix}.incoming"

    @property
    def relabel(self) -> str:
        """Where :class:`~schemas.events.RelabelTask` waits for a person or the ensemble."""
        return f"{self.prefix}.relabel{self.output_suffix}"

    @property
    def labels(self) -> str:
        """Compacted :class:`~schemas.events.Label` by review id."""
        return f"{self.prefix}.labels"

    @property
    def judgements(self) -> str:
        """Every act of a person in the queue, :class:`~schemas.events.Judgement`."""
        return f"{self.prefix}.judgements"

    @property
    def dead_letter(self) -> str:
        """Messages that could not be processed: original bytes, reason in the headers."""
        return f"{self.prefix}.dead-letter{self.output_suffix}"

    @property
    def replays(self) -> str:
        """Compacted :class:`~schemas.events.ReplayProgress` by partition of a dead-letter topic."""
        return f"{self.prefix}.replays"

    @property
    def models(self) -> str:
        """Compacted :class:`~schemas.events.ModelAnnouncement`."""
        return f"{self.prefix}.models"

    @property
    def guard(self) -> str:
        """Every :class:`~schemas.events.GuardDecision`: which categories are held."""
        return f"{self.prefix}.guard"

    @property
    def batches(self) -> str:
        """One :class:`~schemas.events.BatchSummary` a worker's transaction."""
        return f"{self.prefix}.batches{self.output_suffix}"

    @property
    def stats(self) -> str:
        """:class:`~schemas.events.CategoryWindow` from the monitor."""
        return f"{self.prefix}.stats"

    def category(self, category: Category) -> str:
        """Return the topic in which reviews of one category are."""
        if self.layout == "single":
            return f"{self.prefix}.categorized{self.output_suffix}"
        return f"{self.prefix}.category.{category.slug}{self.output_suffix}"

    @property
    def categories(self) -> tuple[str, ...]:
        """The topics of decided reviews, each once; of the layout ``categories`` by category id."""
        return tuple(dict.fromkeys(self.category(category) for category in all_categories()))

    def category_headers(self, category: Category) -> list[tuple[str, bytes]]:
        """Return what tells a decided review's category beside the topic."""
        if self.layout == "categories":
            return []
        return [(CATEGORY_HEADER, category.encode())]

    def outputs(self) -> tuple[str, ...]:
        """Every topic in which an input event can end."""
        return (*self.categories, self.relabel, self.dead_letter)

    def of_workers(self) -> frozenset[str]:
        """Every topic that no worker can do without."""
        return frozenset({self.incoming, self.batches, *self.outputs()})

    def policies(self) -> Iterator[TopicPolicy]:
        """Yield every topic with its policy."""
        if self.existing:
            yield TopicPolicy(self.existing, "your topic: what is sorted", foreign=True)
        else:
            yield TopicPolicy(self.incoming, "reviews as they arrive")
        if self.layout == "single":
            yield TopicPolicy(self.categories[0], "decided reviews of all categories")
        else:
            for category in all_categories():
                yield TopicPolicy(self.category(category), f"reviews of {category.info.name('en')}")
        month = 30 * DAY_MS
        yield TopicPolicy(self.relabel, "reviews that the model is unsure of", retention_ms=month)
        yield TopicPolicy(
            self.labels,
            "decisions, for training",
            cleanup="compact",
            # Without it the newest segment, a week of labels, would never be compacted.
            max_compaction_lag_ms=DAY_MS,
        )
        yield TopicPolicy(
            self.judgements, "who decided what, kept for ever", retention_ms=FOREVER_MS
        )
        yield TopicPolicy(
            self.dead_letter,
            "messages that could not be processed",
            retention_ms=month,
            # A message of the broker's default limit (1 MiB) must fit with our headers.
            max_message_bytes=DEAD_LETTER_MAX_BYTES,
        )
        yield TopicPolicy(
            self.replays,
            "how far dead letters were sent back",
            cleanup="compact",
            max_compaction_lag_ms=DAY_MS,
        )
        yield TopicPolicy(
            self.models, "the model to serve", cleanup="compact", single_partition=True
        )
        yield TopicPolicy(
            self.guard,
            "categories held and released, kept for ever",
            # Not compacted: whoever writes there must not be able to make an earlier decision vanish.
            retention_ms=FOREVER_MS,
            single_partition=True,
        )
        yield TopicPolicy(self.batches, "one summary a transaction")
        yield TopicPolicy(self.stats, "windowed statistics by category")
