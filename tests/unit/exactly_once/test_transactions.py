"""Of which membership in the group the transactions are that partitions share."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from stream.exactly_once import transactions as module
from stream.exactly_once.transactions import Transactions
from stream.kafka.membership import Membership
from stream.worker.group_member import member_options
from tests.support.pipeline import pipeline_settings

TP = TopicPartition("reviews.incoming", 0)


class Shared:
    """Transactions that partitions share, and that say who began and ended them."""

    def __init__(self, log, options, topic, member_id, *_):
        self.transactional_id = member_id
        self._log = log
        log.append(("began", member_id))

    async def close(self):
        self._log.append(("ended", self.transactional_id))


class Consumer:
    def __init__(self):
        self.coordinator = SimpleNamespace(membership=None)

    def assignment(self):
        return {TP}

    def partitions_for_topic(self, topic):
        return {0}


@pytest.fixture
def log(monkeypatch):
    log = []
    monkeypatch.setattr(module, "SharedTransactions", lambda *given: Shared(log, *given))
    monkeypatch.setattr(
        module, "membership_of", lambda consumer, _: consumer.coordinator.membership
    )
    return log


async def test_those_of_a_membership_that_is_over_are_closed_when_the_next_begins(log):
    settings = pipeline_settings("localhost:9092", "p", worker={"transactions": "worker"})
    transactions = Transactions(member_options(settings).transactions)
    consumer = Consumer()
    for member_id in ("one", "one", "two"):
        consumer.coordinator.membership = Membership(1, member_id)
        transactions.assigned(consumer, None)
        await transactions.producer(TP).discard()
    await transactions.close()
    assert log == [("began", "one"), ("began", "two"), ("ended", "one"), ("ended", "two")]
