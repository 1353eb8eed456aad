"""What becomes of letters of which nobody knows whether they were sent back: a person says it, or they stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from aiokafka import TopicPartition

from stream.errors import InputError
from stream.kafka.expiry import expiry
from stream.operations.replay_memory import Recalled
from stream.operations.replay_progress import Reached
from stream.settings import Settings

# For so long brokers keep offsets, unless they say otherwise.
_USUAL_HOURS: Final = 7 * 24
_REMEDY: Final = (
    "say it with --sent-before TIME: letters that died before it count as sent back, all others wait. "
    "2000-01-01 says that there was no earlier replay"
)

_log = structlog.get_logger(__name__)


class Doubts:
    """Settles what the memory leaves in doubt.

    Args:
        settings: connection and topics.
        sent_before: letters that died before it count as sent back, where nothing better is known.
        dry_run: doubts are said, and refuse nothing.
    """

    def __init__(self, settings: Settings, sent_before: datetime | None, *, dry_run: bool) -> None:
        self._kafka = settings.kafka
        self._incoming = settings.topic_names.incoming
        self._sent_before = sent_before
        self._dry_run = dry_run
        self._said: set[str] = set()

    async def settled(
        self, consumer: Any, tp: TopicPartition, recalled: Recalled
    ) -> Reached | None:
        """Return how far replays of a partition got; None: there was none.

        Raises:
            InputError: it is not known, and was not said.
        """
        known = recalled.known
        if known is not None and not recalled.doubt:
            return known
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        if begin >= end:  # no letter is in doubt
            return known
        if self._sent_before is not None:
            said = Reached(await _first_since(consumer, tp, self._sent_before, end))
            return said if known is None else known.both(said)
        if reason := recalled.doubt or await self._forgotten(consumer, tp, begin, end):
            self._refuse(tp, reason)
        return known

    async def _forgotten(self, consumer: Any, tp: TopicPartition, begin: int, end: int) -> str:
        """Return why letters may have been sent back by a replay that the brokers have forgotten.

        It was one of an earlier version: those knew of nothing but the group's offsets, which brokers
        forget long before letters are deleted.
        """
        hours = (await expiry(self._kafka, self._incoming)).offsets or _USUAL_HOURS
        before = datetime.now(UTC) - timedelta(hours=hours)
        if await _first_since(consumer, tp, before, end) <= begin:
            return ""
        return (
            "no replay is on record, and one of an earlier version may be forgotten: brokers keep what it "
            f"left for {hours:,.0f} hours (offsets.retention.minutes), and there are older letters"
        )

    def _refuse(self, tp: TopicPartition, reason: str) -> None:
        if not self._dry_run:
            raise InputError(
                f"what was sent back of {tp.topic}[{tp.partition}] is not known: {reason}", _REMEDY
            )
        if reason not in self._said:
            self._said.add(reason)
            _log.warning(
                "replay_in_doubt",
                partition=f"{tp.topic}[{tp.partition}]",
                reason=reason,
                remedy=_REMEDY,
            )


async def _first_since(consumer: Any, tp: TopicPartition, moment: datetime, end: int) -> int:
    """Return the first offset that was written then or later."""
    found = (await consumer.offsets_for_times({tp: int(moment.timestamp() * 1000)}))[tp]
    return end if found is None else int(found.offset)
