"""Many partitions in one transaction: who is in it, who hears of its failure, who may join."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from stream.exactly_once.group_producer import PartitionResult
from stream.exactly_once.message import Message
from stream.exactly_once.shared_transactions import JoiningProducer, SharedTransactions
from stream.kafka.broker_errors import Fenced, GenerationRefused
from stream.kafka.membership import Membership, NotedOffset
from stream.kafka.size_limits import SizeLimits
from stream.settings import load_settings
from stream.worker.group_member import transaction_options

NOW = Membership(5, "member")
TOPIC = "reviews.incoming"
ONE, TWO, THREE = (TopicPartition(TOPIC, number) for number in range(3))


class Broker:
    """Says what becomes of transactions; keeps what producers ask."""

    def __init__(self):
        self.asked = []
        self.transactions = []
        self.failures = []
        """Of commits to come; None: none."""
        self.opens = asyncio.Event()
        self.opens.set()
        self.commits = asyncio.Event()
        self.commits.set()
        self.begun = asyncio.Semaphore(0)
        self.refuses_to_open = False

    def producer(self, options, transactional_id, limits):
        return Producer(self, transactional_id)


class Producer:
    def __init__(self, broker, transactional_id):
        self.broker = broker
        self.broker.asked.append(("made", transactional_id))

    async def connect(self):
        await self.broker.opens.wait()

    async def initialise(self):
        self.broker.asked.append("initialise")

    async def take_over(self, topics, partitions):
        if self.broker.refuses_to_open:
            raise KafkaError("no coordinator")
        self.broker.asked.append(("take over", topics, sorted(partitions)))

    async def commit(self, results, membership, seconds):
        self.broker.begun.release()
        await self.broker.commits.wait()
        failure = self.broker.failures.pop(0) if self.broker.failures else None
        if failure is not None:
            raise failure
        self.broker.transactions.append({tp.partition for tp in results})

    async def discard(self):
        pass


@pytest.fixture
async def broker():
    return Broker()


@pytest.fixture
async def shared(broker):
    options = transaction_options(load_settings(), "g")
    shared = SharedTransactions(options, TOPIC, "member", ["out"], SizeLimits(), broker.producer)
    await opened(shared)
    yield shared
    broker.commits.set()
    await shared.close()


async def opened(shared):
    async with asyncio.timeout(30):
        while not shared.is_open:  # noqa: ASYNC110 - in turns
            await asyncio.sleep(0)


def commit(shared, tp, membership=NOW):
    result = PartitionResult([Message("out", None, b"", [])], NotedOffset(1))
    return asyncio.create_task(shared.commit(tp, result, membership))


async def test_partitions_that_come_at_the_same_time_share_a_transaction(shared, broker):
    await asyncio.gather(*(commit(shared, tp) for tp in (ONE, TWO, THREE)))
    assert broker.transactions == [{0, 1, 2}]


async def test_who_comes_while_a_transaction_is_under_way_is_in_the_next(shared, broker):
    broker.commits.clear()
    first = commit(shared, ONE)
    await broker.begun.acquire()
    others = [commit(shared, tp) for tp in (TWO, THREE)]
    broker.commits.set()
    await asyncio.gather(first, *others)
    assert broker.transactions == [{0}, {1, 2}]


async def test_no_transaction_holds_two_generations_of_the_group(shared, broker):
    await asyncio.gather(commit(shared, ONE), commit(shared, TWO, Membership(6, "member")))
    assert broker.transactions == [{0}, {1}]


async def test_what_an_old_generation_was_refused_is_committed_in_the_next(shared, broker):
    member = Membership(5, "member")
    broker.commits.clear()
    broker.failures = [GenerationRefused("6 by now")]
    taking_part = [commit(shared, tp, member) for tp in (ONE, TWO)]
    await broker.begun.acquire()
    member.generation = 6
    broker.commits.set()
    await asyncio.gather(*taking_part)
    assert broker.transactions == [{0, 1}]
    # What was left of the refused one is settled first.
    assert broker.asked[-1] == ("take over", ["out"], [0, 1])


async def test_who_lost_its_partitions_does_not_try_again(shared, broker):
    member = Membership(5, "member")
    broker.commits.clear()
    broker.failures = [GenerationRefused("6 by now")]
    taking_part = commit(shared, ONE, member)
    await broker.begun.acquire()
    member.is_over = True
    broker.commits.set()
    with pytest.raises(Fenced):
        await taking_part
    assert broker.transactions == []


async def test_who_gives_its_partition_up_leaves_what_is_to_be_tried_again(shared, broker):
    member = Membership(5, "member")
    broker.commits.clear()
    broker.failures = [GenerationRefused("6 by now")]
    leaving, staying = commit(shared, ONE, member), commit(shared, TWO, member)
    await broker.begun.acquire()
    broker.opens.clear()
    broker.commits.set()
    async with asyncio.timeout(30):
        while shared.is_open:  # noqa: ASYNC110 - in turns
            await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    broker.opens.set()
    await staying
    assert broker.transactions == [{1}]


async def test_all_that_took_part_hear_of_a_failure_and_nobody_else(shared, broker):
    broker.commits.clear()
    broker.failures = [Fenced("the group has gone on")]
    taking_part = [commit(shared, tp) for tp in (ONE, TWO)]
    await broker.begun.acquire()
    other = commit(shared, THREE)
    broker.commits.set()
    for task in taking_part:
        with pytest.raises(Fenced):
            await task
    await other
    assert broker.transactions == [{2}]


async def test_what_failed_and_what_came_before_is_ended_everywhere_before_anybody_joins(
    shared, broker
):
    await commit(shared, TWO)
    broker.failures = [TimeoutError()]
    broker.asked.clear()
    with pytest.raises(TimeoutError):
        await asyncio.gather(commit(shared, ONE), commit(shared, THREE))
    await opened(shared)
    assert broker.asked == [
        ("made", shared.transactional_id),
        ("take over", ["out"], [0, 1, 2]),
    ]


async def test_an_attempt_to_go_on_that_fails_forgets_nothing_of_what_is_in_doubt(shared, broker):
    broker.failures, broker.refuses_to_open = [TimeoutError()], True
    with pytest.raises(TimeoutError):
        await commit(shared, THREE)
    async with asyncio.timeout(30):
        while broker.asked.count(("made", shared.transactional_id)) < 3:  # noqa: ASYNC110 - in turns
            await asyncio.sleep(0)
    broker.refuses_to_open = False
    await opened(shared)
    assert broker.asked[-1] == ("take over", ["out"], [2])


async def test_nobody_waits_for_transactions_that_cannot_go_on(shared, broker):
    broker.commits.clear()
    broker.failures, broker.refuses_to_open = [KafkaError("broken")], True
    first = commit(shared, ONE)
    await broker.begun.acquire()
    second = commit(shared, TWO)
    broker.commits.set()
    for task in (first, second, commit(shared, THREE)):
        with pytest.raises(KafkaError):
            await task
    assert not shared.is_open


async def test_a_partition_that_is_taken_away_leaves_no_transaction_under_way(shared, broker):
    broker.commits.clear()
    leaving, staying = commit(shared, ONE), commit(shared, TWO)
    await broker.begun.acquire()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    with pytest.raises(KafkaError, match="taken away"):
        await staying
    assert broker.transactions == []


async def test_a_partition_that_is_taken_away_while_it_waits_is_in_no_transaction(shared, broker):
    broker.commits.clear()
    first = commit(shared, ONE)
    await broker.begun.acquire()
    leaving = commit(shared, TWO)
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    broker.commits.set()
    await first
    await commit(shared, THREE)
    assert broker.transactions == [{0}, {2}]


async def test_with_new_partitions_a_new_producer_goes_on_and_nothing_fails(shared, broker):
    await commit(shared, ONE)
    shared.renew()
    await commit(shared, TWO)
    assert [asked for asked in broker.asked if asked[0] == "made"] == [
        ("made", shared.transactional_id)
    ] * 2
    assert broker.transactions == [{0}, {1}]


async def test_after_the_end_nothing_is_committed(shared):
    await shared.close()
    with pytest.raises(KafkaError):
        await commit(shared, ONE)


class Own:
    """A partition's own producer."""

    def __init__(self):
        self.commits = []
        self.discarded = False

    async def commit(self, messages, next_offset, note):
        self.commits.append((next_offset, note))

    async def discard(self):
        self.discarded = True


class Shared:
    """Transactions that others share."""

    transactional_id = "g.reviews.incoming.shared"

    def __init__(self, is_open):
        self.is_open = is_open
        self.commits = []

    async def commit(self, tp, result, membership):
        assert membership == NOW
        self.commits.append((result.next.offset, result.next.note))


async def test_a_partition_joins_after_a_transaction_of_its_own_that_names_the_shared_id():
    own, shared = Own(), Shared(is_open=True)
    producer = JoiningProducer(ONE, own, shared, NOW)
    for offset in (1, 2, 3):
        await producer.commit([], offset)
    assert own.commits == [(1, shared.transactional_id)]
    assert own.discarded
    assert shared.commits == [(2, shared.transactional_id), (3, shared.transactional_id)]


async def test_while_shared_transactions_cannot_go_on_a_partition_goes_on_alone():
    own, shared = Own(), Shared(is_open=False)
    producer = JoiningProducer(ONE, own, shared, NOW)
    await producer.commit([], 1)
    await producer.commit([], 2)
    assert [offset for offset, _ in own.commits] == [1, 2]
    assert not own.discarded
    shared.is_open = True
    await producer.commit([], 3)
    await producer.commit([], 4)
    assert [offset for offset, _ in shared.commits] == [4]


async def test_a_note_of_somebody_elses_is_refused():
    producer = JoiningProducer(ONE, Own(), SimpleNamespace(), NOW)
    with pytest.raises(ValueError, match="note"):
        await producer.commit([], 1, note="left: 3-5")


class Refused:
    """A partition's own producer whose group is in a newer generation."""

    def __init__(self, hears):
        self.hears = hears

    async def commit(self, messages, next_offset, note):
        self.hears()
        raise GenerationRefused("6 by now")


async def test_a_first_transaction_that_an_old_generation_was_refused_is_begun_anew_at_once(shared):
    member = Membership(5, "member")
    own = Refused(lambda: setattr(member, "generation", 6))
    with pytest.raises(KafkaError):  # what a partition begins anew after, without waiting
        await JoiningProducer(ONE, own, shared, member).commit([], 1)


async def test_whoever_was_thrown_out_waits_for_the_group_to_say_so(shared):
    member = Membership(5, "member")
    own = Refused(lambda: setattr(member, "is_over", True))
    with pytest.raises(Fenced):
        await JoiningProducer(ONE, own, shared, member).commit([], 1)
