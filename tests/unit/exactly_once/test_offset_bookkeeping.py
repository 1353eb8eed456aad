"""No offset passes an unpublished review, and none is published twice, in whatever order things come.

The real processor and batcher against a broker that is a model.
"""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from stream.exactly_once.message import Message
from stream.exactly_once.partition_processor import PartitionBatch, PartitionProcessor
from stream.exactly_once.recovery import Recovery
from stream.kafka.broker_errors import Fenced
from stream.worker.microbatch import MicroBatcher
from tests.support.interleavings import event_of, run_interleavings, turns

TP = TopicPartition("reviews.incoming", 0)
FURTHEST = []
"""The last committed offset of every run."""


class Broker:
    """One input partition: what is committed, and what a ``read_committed`` reader sees."""

    def __init__(self):
        self.committed = 0
        self.published = []
        self.epoch = 0


class Producer:
    """A transactional producer that waits for the machine to say what becomes of its commit."""

    def __init__(self, broker):
        self.broker = broker
        self.pending = None

    async def start(self, topics=()):
        self.broker.epoch += 1
        self.epoch = self.broker.epoch

    async def commit(self, messages, next_offset):
        self.pending = asyncio.get_running_loop().create_future()
        outcome = await self.pending
        if self.epoch != self.broker.epoch:
            raise Fenced("a newer producer has the id")
        if outcome in {"committed", "reply-lost"}:
            self.broker.published += [int(message.value) for message in messages]
            self.broker.committed = next_offset
        if outcome != "committed":
            raise KafkaError(outcome)

    async def discard(self):
        self.pending = None


class Consumer:
    """Seeks within one partition; reads what the machine polls."""

    def __init__(self, broker):
        self.broker = broker
        self.position = 0
        self.paused = True

    def seek(self, tp, offset):
        self.position = offset

    def pause(self, tp):
        self.paused = True

    def resume(self, tp):
        self.paused = False

    def assignment(self):
        return {TP}


class Bookkeeping(RuleBasedStateMachine):
    """The stages of a worker, one step at a time, for one partition of endless input."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.broker = Broker()
        self.consumer = Consumer(self.broker)
        self.batcher = MicroBatcher(max_cost=40, max_rows=8, cost=lambda event: 3)
        self.producers, self.publishing = [], set()
        self.task = self.owner = None

    @initialize()
    def assign(self):
        """The partition is assigned, for the first time or again."""

        def producer(tp):
            self.producers.append(Producer(self.broker))
            return self.producers[-1]

        transactions = SimpleNamespace(
            producer=producer, recovery=lambda tp, consumer: Recovery(tp, consumer, "group", [])
        )
        self.owner = PartitionProcessor(TP, self.consumer, transactions, 0.0)
        self.task = self.loop.create_task(self.owner.run())
        self._settle()

    # One rule, weighted: with a rule a step, hypothesis tries few of them in one run, and hardly any
    # run would get as far as a commit.
    @rule(
        steps=st.lists(
            st.one_of(
                st.builds(lambda n: ("poll", n), st.integers(1, 12)),
                st.just(("classify_and_dispatch",)),
                st.just(("classify_and_dispatch",)),
                st.just(("the_broker_answers", "committed")),
                st.just(("the_broker_answers", "committed")),
                st.just(("the_broker_answers", "aborted")),
                st.just(("the_broker_answers", "reply-lost")),
                st.just(("another_worker_takes_over_for_a_while",)),
                st.just(("revoke_and_assign_again",)),
            ),
            min_size=12,
            max_size=18,
        )
    )
    def go_on(self, steps):
        """Some steps, in any order."""
        for name, *arguments in steps:
            getattr(self, name)(*arguments)
            self.nothing_is_passed_lost_or_doubled()

    def poll(self, count):
        """Intake: what is read without an open processor is void."""
        if self.consumer.paused:
            return
        first = self.consumer.position
        self.consumer.position += count
        if self.owner.accepting:
            events = [event_of(self.owner, offset) for offset in range(first, first + count)]
            self.batcher.add(events)
            self.owner.add_in_flight(count)

    def classify_and_dispatch(self):
        """A micro-batch goes through; what was voided meanwhile is dropped, as in the worker."""
        events = [event for event in self.batcher.take() if not event.stale]
        if events:
            messages = [
                Message("out", None, str(event.record.offset).encode(), []) for event in events
            ]
            part = PartitionBatch(events, messages, lambda _: None)
            task = self.loop.create_task(events[0].owner.publish(part))
            self.publishing.add(task)
            task.add_done_callback(self.publishing.discard)
        self._settle()

    def the_broker_answers(self, outcome):
        """The transaction under way ends well, or not, or well but nobody hears of it."""
        for producer in self.producers[-1:]:
            if producer.pending is not None and not producer.pending.done():
                producer.pending.set_result(outcome)
        self._settle()

    def another_worker_takes_over_for_a_while(self):
        """As a zombie sees it: its epoch is no longer the newest, and it has not heard so."""
        self.broker.epoch += 1

    def revoke_and_assign_again(self):
        """A rebalance whose drain runs out of time."""
        self.task.cancel()
        self._settle()
        self.assign()

    @invariant()
    def nothing_is_passed_lost_or_doubled(self):
        """All up to the committed offset is published, once, in order, and nothing beyond it."""
        assert self.broker.published == list(range(self.broker.committed))

    def teardown(self):
        """End the processor."""
        FURTHEST.append(self.broker.committed)
        self.task.cancel()
        for task in self.publishing:
            task.cancel()
        self._settle()
        self.loop.close()

    def _settle(self):
        """Run everything that can run now. Back-offs are made to pass at once by the test."""
        self.loop.run_until_complete(turns(40))


@pytest.mark.slow
@pytest.mark.no_cover
def test_no_interleaving_commits_past_an_unpublished_review(monkeypatch):
    run_interleavings(
        Bookkeeping, monkeypatch, lambda broker, _: broker.committed, examples=60, steps=12
    )
    assert sum(offset > 0 for offset in FURTHEST) > 20, "most runs must come to a commit"
