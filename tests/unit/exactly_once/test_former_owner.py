"""When a former owner of a partition is shut out, and how its transaction is ended."""

import asyncio

import pytest
from aiokafka import TopicPartition

from stream.exactly_once import former_owner
from stream.exactly_once.former_owner import FormerOwners
from stream.kafka.offsets import OffsetPending
from stream.settings import load_settings
from stream.worker.group_member import transaction_options

TP = TopicPartition("reviews.incoming", 2)
SHUT_OUT = [(["out"], [0, 1, 2]), "discard"]
FORMER = "g.reviews.incoming.former"


class Broker:
    """One partition's offset, and the coordinator of a former owner's id."""

    def __init__(self):
        self.note = FORMER
        self.pending = True
        self.looks = 0
        self.ends_at_look = None
        self.members = {"former"}
        self.asked = []

    async def members_of(self, consumer, group):
        return self.members

    async def committed_note(self, consumer, group, tp):
        return self.note

    async def committed_offset(self, consumer, group, tp, *, settled):
        self.looks += 1
        if self.looks == self.ends_at_look:
            self.pending = False
        if self.pending:
            raise OffsetPending
        return 7

    def producer(self, options, transactional_id):
        return Producer(self, transactional_id)


class Producer:
    def __init__(self, broker, transactional_id):
        self.broker = broker
        assert transactional_id == FORMER

    async def connect(self):
        pass

    async def take_over(self, topics, partitions):
        self.broker.asked.append((topics, sorted(partitions)))

    async def discard(self):
        self.broker.asked.append("discard")


class Consumer:
    def partitions_for_topic(self, topic):
        return {0, 1, 2}


@pytest.fixture
def broker(monkeypatch):
    broker = Broker()
    for name in ("committed_note", "committed_offset"):
        monkeypatch.setattr(former_owner, name, getattr(broker, name))
    for name in ("_GRACE_SECONDS", "_OWN_SECONDS", "_LOOK_AGAIN_SECONDS", "_APART_SECONDS"):
        monkeypatch.setattr(former_owner, name, 0.02)
    monkeypatch.setattr(former_owner, "members_of", broker.members_of)
    return broker


@pytest.fixture
def former(broker):
    return FormerOwners(transaction_options(load_settings(), "g"), ["out"], broker.producer)


async def test_an_owner_that_does_not_end_its_transaction_is_shut_out_in_all_partitions(
    former, broker
):
    await former.settle(TP, Consumer())
    assert broker.asked == SHUT_OUT


async def test_an_owner_that_is_just_ending_its_transaction_is_left_alone(former, broker):
    broker.ends_at_look = 2
    await former.settle(TP, Consumer())
    assert broker.asked == []


async def test_transactions_of_our_own_are_not_shut_out(former, broker):
    former.ours = FORMER
    await former.settle(TP, Consumer())
    assert broker.asked == []


@pytest.mark.parametrize("note", ["", "of-somebody-else", "g.reviews.relabel.former"])
async def test_a_note_that_is_none_of_ours_is_no_transactional_id(former, broker, note):
    broker.note = note
    await former.settle(TP, Consumer())
    await former.watch(TP, Consumer())
    assert broker.asked == []


@pytest.mark.parametrize(
    ("since", "shut_out"),
    [([5, 5], True), ([5, 9], False), ([5, None], False), ([None], False)],
    ids=["stands still", "goes on", "has ended", "was not open"],
)
async def test_an_owner_whose_transaction_stands_still_is_shut_out_for_the_sake_of_readers(
    former, broker, monkeypatch, since, shut_out
):
    answers, looked = list(since), asyncio.Event()

    async def ongoing_since(client, transactional_id):
        if len(answers) == 1:
            looked.set()
        return answers.pop(0)

    monkeypatch.setattr(former_owner, "ongoing_since", ongoing_since)
    monkeypatch.setattr(former_owner, "client_of", lambda consumer: None)
    monkeypatch.setattr(former_owner, "_STUCK_SECONDS", 0.0)
    broker.pending = False
    await former.watch(TP, Consumer())
    await asyncio.wait_for(looked.wait(), 30)
    await watched()
    assert broker.asked == (SHUT_OUT if shut_out else [])


async def watched():
    """Return when nobody is watched any more."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def test_what_a_member_left_that_is_gone_is_settled_once_for_all_its_partitions(
    former, broker
):
    broker.members = {"another"}
    for _ in range(2):
        await former.watch(TP, Consumer())
        await former.watch(TopicPartition(TP.topic, 0), Consumer())
        await watched()
    assert broker.asked == SHUT_OUT
