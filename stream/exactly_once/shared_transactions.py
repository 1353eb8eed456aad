"""One transactional producer for all partitions of a worker: what waits is committed together (KIP-447).

The transactional id is that of the worker's membership in the group and says nothing of partitions, so that
a new owner of a partition cannot fence the former one by initialising its own. Three things do it instead:

* offsets are committed in the name of a member, whom the group refuses once it has dealt anew;
* the note beside every committed offset names the id that the next transactions have, so that a new
  owner can settle them (:mod:`stream.exactly_once.former_owner`);
* a partition's first transaction is one of its own: see :class:`JoiningProducer`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.errors import BrokerError
from stream.exactly_once.group_producer import GroupProducer, PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.options import TransactionOptions
from stream.exactly_once.transactional_producer import TransactionalProducer
from stream.kafka.broker_errors import Fenced, GenerationRefused
from stream.kafka.membership import Membership, NotedOffset
from stream.kafka.size_limits import RecordsTooLarge, SizeLimits
from stream.kafka.stopping import CANCEL_AGAIN_SECONDS, cancel_until_over

# The partitions of one micro-batch come one after another within few turns of the event loop.
_TURNS: Final = 6
# Of the broker's patience. Partitions that have no trouble wait so long for one that has.
_PATIENCE: Final = 1 / 3
_FIRST_BACKOFF: Final = 0.1
_LAST_BACKOFF: Final = 5.0
# A member that keeps its partitions hears of the new generation within milliseconds.
_NEXT_GENERATION_SECONDS: Final = 0.02
_FAILURES: Final = (Fenced, RecordsTooLarge, BrokerError, KafkaError, TimeoutError, OSError)

_log = structlog.get_logger(__name__)


class _Waiting:
    """A partition's result that waits for its transaction, or is in it."""

    def __init__(self, tp: TopicPartition, result: PartitionResult, membership: Membership) -> None:
        self.tp = tp
        self.result = result
        self.membership = membership
        self.since = time.monotonic()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(self, error: BaseException | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class SharedTransactions:
    """Commits the results of many partitions in one transaction after another.

    After a failure all that took part hear of it, and begin again with transactions of their own.
    This one settles what it left, and opens again; it is closed to others for as long as that takes.

    Args:
        options: connection, group and timeouts.
        topic: whose partitions are answered.
        member_id: of the worker in the group.
        outputs: every topic that their transactions publish to.
        limits: how large messages may be.
        make_producer: makes the producer.
    """

    def __init__(
        self,
        options: TransactionOptions,
        topic: str,
        member_id: str,
        outputs: Sequence[str],
        limits: SizeLimits,
        make_producer: Any = GroupProducer,
    ) -> None:
        # Never used again by another process: what it leaves is settled by new owners of partitions, who
        # see by it whether the member is still there.
        self.transactional_id = f"{options.group}.{topic}.{member_id}"
        self._options = options
        self._outputs = outputs
        self._limits = limits
        self._make_producer = make_producer
        self._seconds = options.timeout_ms / 1000 * _PATIENCE
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._taken: list[_Waiting] = []
        self._under_way: asyncio.Task[None] | None = None
        self._in_doubt: set[int] = set()
        self._is_open = False
        self._is_down = True
        self._is_stale = False
        self._task = asyncio.create_task(self._run(), name=f"shared transactions of {topic}")

    @property
    def is_open(self) -> bool:
        """Whether partitions may join."""
        return self._is_open

    async def commit(
        self, tp: TopicPartition, result: PartitionResult, membership: Membership
    ) -> None:
        """Publish and commit with whatever other partitions have.

        Raises:
            Fenced: the group has given partitions away; nothing was published.
            RecordsTooLarge: a topic does not take so much; nothing was published.
            KafkaError, TimeoutError: the outcome is unknown.
        """
        if self._task.done() and not self._task.cancelled():
            self._task.result()  # a defect: nobody must wait for it
        if self._is_down:
            raise KafkaError("the transactions that partitions share cannot go on just now")
        waiting = _Waiting(tp, result, membership)
        self._waiting.append(waiting)
        self._arrived.set()
        try:
            await waiting.done
        except asyncio.CancelledError:
            await self._withdraw(waiting)
            raise

    def renew(self) -> None:
        """Go on with a new producer: topics may have more partitions by now."""
        self._is_stale = True

    async def close(self) -> None:
        """End; what is on its way then is in doubt, and settled by whoever has the partition next."""
        await cancel_until_over([self._task])

    async def _withdraw(self, waiting: _Waiting) -> None:
        """Return once no transaction under way holds the partition, whose owner lets it go.

        The same worker may read the partition anew before the group has dealt anew: then a
        transaction that still came to its end would publish what is published again.
        """
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        task = self._under_way
        while waiting in self._taken and task is not None and not task.done():
            task.cancel()
            try:
                await asyncio.wait([task], timeout=CANCEL_AGAIN_SECONDS)
            except asyncio.CancelledError:
                continue  # whoever cancels knows that it is wanted

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        try:
            while True:
                wait = 0.0
                producer = self._make_producer(self._options, self.transactional_id, self._limits)
                try:
                    async with asyncio.timeout(self._seconds):
                        await self._open(producer)
                    backoff = _FIRST_BACKOFF
                    await self._commit_all(producer)
                except _FAILURES as error:
                    if not self._is_open:  # it did not come so far: nobody is to wait for it
                        self._is_down = True
                        self._fail(self._waiting, error)
                        wait = backoff * random.uniform(0.5, 1.5)  # noqa: S311 - spreads reconnects
                        backoff = min(backoff * 2, _LAST_BACKOFF)
                    elif isinstance(error, GenerationRefused):
                        wait = _NEXT_GENERATION_SECONDS
                    _log.warning("shared_transaction_failed", error=repr(error), retry_in=wait)
                finally:
                    self._is_open = False
                    await producer.discard()
                await asyncio.sleep(wait)
        finally:
            self._is_down = True
            self._fail(self._waiting, KafkaError("the worker ends"))

    async def _open(self, producer: GroupProducer) -> None:
        await producer.connect()
        if self._in_doubt:
            # Nobody joins while a partition lacks an end.
            await producer.take_over(self._outputs, self._in_doubt)
            self._in_doubt.clear()
        else:
            await producer.initialise()
        self._is_open, self._is_down = True, False

    async def _commit_all(self, producer: GroupProducer) -> None:
        self._is_stale = False
        while True:
            await self._arrived.wait()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if self._is_stale:
                return
            await self._commit_waiting(producer)

    async def _commit_waiting(self, producer: GroupProducer) -> None:
        membership = self._waiting[0].membership if self._waiting else None
        taken = [waiting for waiting in self._waiting if waiting.membership == membership]
        self._waiting = [waiting for waiting in self._waiting if waiting.membership != membership]
        if not self._waiting:
            self._arrived.clear()
        if not taken:  # withdrawn
            return
        self._taken = taken
        partitions = {waiting.tp.partition for waiting in taken}
        self._in_doubt |= partitions
        results = {waiting.tp: waiting.result for waiting in taken}
        self._under_way = asyncio.create_task(producer.commit(results, membership, self._seconds))
        try:
            await asyncio.wait([self._under_way])
            _raise_failure_of(self._under_way)
        except GenerationRefused as error:
            self._take_up_again(taken, error)
            raise
        except BaseException as error:
            self._under_way.cancel()
            self._fail(taken, error)
            raise
        finally:
            self._taken, self._under_way = [], None
        # It was committed, and is in doubt until the next one is: its end may not come everywhere.
        self._in_doubt = partitions
        for waiting in taken:
            waiting.end()

    def _take_up_again(self, refused: list[_Waiting], error: GenerationRefused) -> None:
        """Keep what may be committed in the next generation: nothing of it was in this one."""
        until = time.monotonic() - self._seconds
        kept = [w for w in refused if not w.membership.is_over and w.since > until]
        self._fail([w for w in refused if w not in kept], error)
        if kept:
            self._waiting = [*kept, *self._waiting]
            self._arrived.set()

    def _fail(self, which: list[_Waiting], error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            error = KafkaError("the worker ends")
        for waiting in which:
            waiting.end(error)
        if which is self._waiting:
            self._waiting = []
            self._arrived.clear()


def _raise_failure_of(transaction: asyncio.Task[None]) -> None:
    if transaction.cancelled():
        raise KafkaError("a partition was taken away while its transaction was under way")
    transaction.result()


class JoiningProducer:
    """The producer of an input partition that joins the worker's transactions after one of its own.

    The first transaction has the partition's own id, as if nothing was shared. It fences former
    owners that have not joined, leaves the note that names the shared id before that is used, and
    keeps trouble apart: a partition that made transactions fail shares none until one has succeeded.

    Args:
        tp: the input partition.
        own: the partition's producer.
        shared: the worker's transactions.
        membership: in whose name they commit.
    """

    def __init__(
        self,
        tp: TopicPartition,
        own: TransactionalProducer,
        shared: SharedTransactions,
        membership: Membership,
    ) -> None:
        self._tp = tp
        self._own = own
        self._shared = shared
        self._membership = membership
        self._has_joined = False

    async def start(self, topics: Sequence[str] = ()) -> None:
        """Fence and settle former owners that have not joined; see :class:`TransactionalProducer`."""
        await self._own.start(topics)

    async def commit(self, messages: Sequence[Message], next_offset: int, note: str = "") -> None:
        """Publish messages and the group's offset in one transaction.

        Raises:
            Fenced, RecordsTooLarge, KafkaError, TimeoutError: as :meth:`TransactionalProducer.commit`.
            ValueError: there is a note; the place is taken.
        """
        if note:
            raise ValueError("transactions that are shared keep a note of their own")
        note = self._shared.transactional_id
        if self._has_joined:
            result = PartitionResult(messages, NotedOffset(next_offset, note))
            await self._shared.commit(self._tp, result, self._membership)
            return
        await self._commit_alone(messages, next_offset, note)
        if self._shared.is_open:
            self._has_joined = True
            await self._own.discard()

    async def _commit_alone(self, messages: Sequence[Message], next_offset: int, note: str) -> None:
        generation = self._membership.generation
        try:
            await self._own.commit(messages, next_offset, note)
        except GenerationRefused as refused:
            if await self._membership.moves_on(generation):
                raise KafkaError(
                    "the group dealt anew while a transaction was under way"
                ) from refused
            raise

    async def discard(self) -> None:
        """Close the connections of the partition's own."""
        if not self._has_joined:
            await self._own.discard()
