"""What a broker's quotas cost is said, once a minute."""

from types import SimpleNamespace

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreatePartitionsRequest, DeleteTopicsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from structlog.testing import capture_logs

from stream.kafka import throttling as module
from stream.kafka.joining_requests import JoiningProduce
from stream.kafka.reading.by_id import _FetchById
from stream.kafka.throttling import Throttling, tell_of_throttling

# Only a request's number in the protocol counts: none has to be filled in.
PRODUCE, FETCH, HEARTBEAT = map(object.__new__, (ProduceRequest, FetchRequest, HeartbeatRequest))


@pytest.fixture
def clock():
    return SimpleNamespace(now=0.0)


@pytest.fixture
def throttling(clock):
    return Throttling(lambda: clock.now)


def reply(milliseconds):
    return SimpleNamespace(throttle_time_ms=milliseconds)


def test_it_names_the_quotas_and_how_long(throttling):
    with capture_logs() as logs:
        throttling.note(PRODUCE, reply(400))
        throttling.note(HEARTBEAT, reply(300))
        throttling.note(FETCH, reply(500))
    (line,) = logs
    assert line["event"] == "broker_throttles"
    assert line["seconds"] == 1.2
    assert line["quotas"] == ["consumer_byte_rate", "producer_byte_rate", "request_percentage"]
    assert throttling.seconds == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("request_class", "quota"),
    [
        (JoiningProduce, "producer_byte_rate"),
        (_FetchById, "consumer_byte_rate"),
        (CreatePartitionsRequest, "controller_mutation_rate"),
        (DeleteTopicsRequest, "controller_mutation_rate"),
    ],
)
def test_a_request_counts_as_what_it_is_whatever_its_class_is_called(
    throttling, request_class, quota
):
    with capture_logs() as logs:
        throttling.note(object.__new__(request_class), reply(1000))
    assert logs[0]["quotas"] == [quota]


def test_it_is_said_once_a_minute(throttling, clock):
    with capture_logs() as logs:
        for second in range(130):
            clock.now = float(second)
            throttling.note(PRODUCE, reply(1000))
    assert [line["seconds"] for line in logs] == [1.0, 60.0, 60.0]


def test_replies_without_a_throttle_say_nothing(throttling):
    with capture_logs() as logs:
        for silent in (reply(0), SimpleNamespace(), None):
            throttling.note(PRODUCE, silent)
    assert logs == []
    assert throttling.seconds == 0.0


async def test_a_clients_replies_are_looked_at(monkeypatch, throttling):
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")

    async def send(node, request, *, group):
        return reply(10)

    monkeypatch.setattr(client, "send", send)
    monkeypatch.setattr(module, "throttling", throttling)
    tell_of_throttling(client)
    assert (await client.send(1, FETCH, group="g")).throttle_time_ms == 10
    assert throttling.seconds == 0.01
