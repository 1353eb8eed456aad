"""Putting dead letters back where they came from, each exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import BrokerError
from stream.exactly_once.transactional_producer import PartitionProducer
from stream.exactly_once.transactions import Transactions
from stream.kafka.broker_errors import Fenced
from stream.kafka.clients import group_reader, offset_observer
from stream.kafka.connection import start, unreachable
from stream.kafka.size_limits import RecordsTooLarge
from stream.kafka.topics import partitions_of
from stream.operations.replay_choice import Choice, too_much_left
from stream.operations.replay_doubts import Doubts
from stream.operations.replay_memory import ReplayMemory
from stream.operations.replay_pass import PartitionReplay, ReplayReport, ReplayTask
from stream.operations.replay_records import RecordsTopic
from stream.settings import Settings
from stream.worker.group_member import transaction_options

# A broker answers a connection's requests in turn: each question would wait behind a fetch of nothing.
_WAIT_MS: Final = 50
# So often a broker looks for transactions that are past their time, with room to end them.
_ABORTED_SECONDS: Final = 15.0


class DeadLetterReplay:
    """Re-publishes dead letters to the incoming topic: original bytes, key and headers.

    Messages, the record of how far it got and the group's offset are one Kafka transaction per batch,
    under one transactional id per partition, as in the worker: a crash repeats nothing, and of two
    replays at once the older is fenced. It ends at what was there when it started, so that a letter that
    dies again is not chased in circles.

    Args:
        settings: connection and topics.
        choice: which letters; unless given, all that did not come back for the same reason. The others
            wait for a later replay, however far this one goes.
        limit: most letters to replay; all unless given.
        sent_before: letters that died before it count as sent back, where it is not known.
        dry_run: count, and change nothing.
        on_progress: called with the report as it grows.
    """

    def __init__(
        self,
        settings: Settings,
        choice: Choice | None = None,
        *,
        limit: int | None = None,
        sent_before: datetime | None = None,
        dry_run: bool = False,
        on_progress: Callable[[ReplayReport], None] | None = None,
    ) -> None:
        self._names = settings.topic_names
        self.group = f"{settings.topics.prefix}.replay"
        self._settings = settings
        self._dry_run = dry_run
        self._transactions = Transactions(
            replace(transaction_options(settings, self.group), reads_always=False),
            [self._names.incoming, self._names.replays],
        )
        self._patience = settings.worker.transaction_timeout_ms / 1000 + _ABORTED_SECONDS
        self._doubts = Doubts(settings, sent_before, dry_run=dry_run)
        self._task = ReplayTask(
            self._names.incoming,
            choice or Choice(),
            limit,
            on_progress,
            self._transactions.limits,
        )

    @property
    def report(self) -> ReplayReport:
        """What it has done so far."""
        return self._task.report

    async def run(self) -> ReplayReport:
        """Replay what was chosen of all that waits.

        Raises:
            BrokerError: Kafka cannot be reached, another replay took over, or somebody's transaction hides
                what was recorded last.
            TopicMissing: the dead-letter topic, the incoming one or that of the records does not exist.
            InputError: more letters would be left out, here and there, than can be remembered, or it is not
                known which were sent back.
        """
        kafka = self._settings.kafka
        letters = await partitions_of(kafka, self._names.dead_letter)
        await partitions_of(kafka, self._names.incoming)
        records = await partitions_of(kafka, self._names.replays)
        consumer = group_reader(kafka, self.group, wait_ms=_WAIT_MS)
        written = offset_observer(kafka)
        topic = RecordsTopic(records, written, self._patience)
        try:
            await start(consumer, kafka)
            await start(written, kafka)
            await self._replay_all(consumer, letters, topic)
        except Fenced:
            raise BrokerError(
                "another replay took over", "let it finish; nothing was sent twice"
            ) from None
        except (KafkaError, TimeoutError) as error:
            raise unreachable(kafka, error) from None
        finally:
            await consumer.stop()
            await written.stop()
        return self.report

    async def _replay_all(
        self, consumer: Any, partitions: list[TopicPartition], records: RecordsTopic
    ) -> None:
        ends = await consumer.end_offsets(partitions)
        for tp in partitions:  # those after a limit, too: they are put on record
            memory = ReplayMemory(consumer, self.group, records, tp)
            await self._replay_partition(consumer, memory, ends[tp])

    async def _replay_partition(self, consumer: Any, memory: ReplayMemory, end: int) -> None:
        if self._dry_run:
            await self._pass(consumer, memory, end, None)
            return
        while True:
            try:
                await self._replay_partition_once(consumer, memory, end)
            except RecordsTooLarge as error:
                if error.topic == self._names.replays:
                    raise too_much_left(error, self._task.report.replayed) from None
                # Nothing of the batch was sent. It is made anew, without what was too large.
                self._task.limits.refused(error)
            else:
                return

    async def _replay_partition_once(self, consumer: Any, memory: ReplayMemory, end: int) -> None:
        producer = self._transactions.producer(memory.tp)
        try:
            # It settles what a crashed replay left open: only then the memory says what was really sent.
            await self._transactions.recovery(memory.tp, consumer).start(producer)
            await self._pass(consumer, memory, end, producer)
        finally:
            await producer.discard()

    async def _pass(
        self, consumer: Any, memory: ReplayMemory, end: int, producer: PartitionProducer | None
    ) -> None:
        recalled = await memory.recall()
        known = await self._doubts.settled(consumer, memory.tp, recalled)
        replay = PartitionReplay(self._task, consumer, end, memory, producer)
        await replay.run(known, recorded=recalled.recorded)
