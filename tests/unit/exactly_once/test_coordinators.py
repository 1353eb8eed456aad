"""How long, and whom, a transaction asks."""

import asyncio

import pytest
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorNotAvailableError,
    InvalidProducerEpoch,
    KafkaConnectionError,
    NodeNotReadyError,
    NotCoordinatorError,
)

from stream.exactly_once.coordinators import Coordinator
from stream.kafka.broker_errors import Fenced


class Client:
    """Answers as told; says who was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.lookups = 0
        self.metadata_updates = 0
        self.brokers_known_after = 0

    def get_random_node(self):
        return 1 if self.metadata_updates >= self.brokers_known_after else None

    async def force_metadata_update(self):
        self.metadata_updates += 1

    async def coordinator_lookup(self, kind, key):
        self.lookups += 1
        return self.lookups

    async def send(self, node, request, group):
        self.asked.append(node)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """How long is waited; it passes at once."""
    waits, sleep = [], asyncio.sleep

    async def at_once(seconds):
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("stream.exactly_once.coordinators.asyncio.sleep", at_once)
    return waits


async def ask(client):
    coordinator = Coordinator(client, CoordinationType.TRANSACTION, "id")
    return await coordinator.ask("request", lambda code: [code])


async def test_while_the_former_end_is_written_the_same_broker_is_asked_again_soon(waits):
    client = Client(*[ConcurrentTransactions.errno] * 8, 0)
    await ask(client)
    assert set(client.asked) == {1}
    assert waits == sorted(waits)
    assert waits[0] <= 0.002
    assert waits[-1] <= 0.02


@pytest.mark.parametrize("moved", [NotCoordinatorError.errno, CoordinatorNotAvailableError.errno])
async def test_a_coordinator_that_moved_is_looked_for_again(moved):
    client = Client(moved, 0)
    await ask(client)
    assert client.asked == [1, 2]


async def test_a_broker_that_cannot_be_reached_was_not_asked_and_another_is_looked_for():
    client = Client(NodeNotReadyError(), 0)
    await ask(client)
    assert client.asked == [1, 2]


async def test_while_no_broker_is_known_metadata_is_asked_for():
    client = Client(0)
    client.brokers_known_after = 2
    await ask(client)
    assert client.metadata_updates == 2


async def test_a_connection_that_breaks_leaves_the_outcome_open():
    with pytest.raises(KafkaConnectionError):
        await ask(Client(KafkaConnectionError()))


async def test_an_owner_that_was_replaced_hears_so():
    with pytest.raises(Fenced):
        await ask(Client(InvalidProducerEpoch.errno))
