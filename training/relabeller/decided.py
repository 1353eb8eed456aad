"""Which reviews have a label already: the ensemble must not speak after a person."""

from __future__ import annotations

import structlog
from aiokafka import ConsumerRecord

from schemas import ContractError, Label, decode
from stream.kafka.clients import observer
from stream.kafka.connection import start
from stream.kafka.read_to_end import read_to_end
from stream.kafka.topics import partitions_of
from stream.settings import Settings

_log = structlog.get_logger(__name__)


class DecidedReviews:
    """Ids of reviews on ``reviews.labels``, read from its beginning and followed.

    The topic is compacted by review id: a label of the ensemble after one of a person would take
    its place, whatever their revisions.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._decided: set[str] = set()
        self._consumer = observer(settings.kafka)

    async def start(self) -> None:
        """Connect and begin at the first label.

        Raises:
            BrokerError: no broker answers.
        """
        await start(self._consumer, self._settings.kafka)
        labels = self._settings.topic_names.labels
        self._consumer.assign(await partitions_of(self._settings.kafka, labels))

    async def refresh(self) -> None:
        """Read until the end of the topic as it was when this was called."""
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        async for record in read_to_end(self._consumer, ends):
            self._note(record)

    def __contains__(self, review_id: object) -> bool:
        return review_id in self._decided

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def _note(self, record: ConsumerRecord) -> None:
        if record.value is None:
            return
        try:
            label = decode(Label, record.value)
        except ContractError as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            _log.warning("unreadable_label", where=where, error=str(error))
            # Whatever it says, it may be a person's, and ours would take its place.
            if record.key is not None:
                self._decided.add(record.key.decode("utf-8", "replace"))
            return
        # A withdrawn one too: a person is at it.
        self._decided.add(label.review_id)
