"""What a broker's quotas cost is said, once a minute."""

from types import SimpleNamespace

import pytest
from aiokafka.client import AIOKafkaClient
from structlog.testing import capture_logs

from stream.kafka import throttling as module
from stream.kafka.throttling import Throttling, tell_of_throttling


class ProduceRequest:
    """Named as aiokafka's."""


class FetchRequest:
    """Likewise."""


class HeartbeatRequest:
    """Likewise."""


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
        throttling.note(ProduceRequest(), reply(400))
        throttling.note(HeartbeatRequest(), reply(300))
        throttling.note(FetchRequest(), reply(500))
    (line,) = logs
    assert line["event"] == "broker_throttles"
    assert line["seconds"] == 1.2
    assert line["quotas"] == ["consumer_byte_rate", "producer_byte_rate", "request_percentage"]
    assert throttling.seconds == pytest.approx(1.2)


def test_it_is_said_once_a_minute(throttling, clock):
    with capture_logs() as logs:
        for second in range(130):
            clock.now = float(second)
            throttling.note(ProduceRequest(), reply(1000))
    assert [line["seconds"] for line in logs] == [1.0, 60.0, 60.0]


def test_replies_without_a_throttle_say_nothing(throttling):
    with capture_logs() as logs:
        for silent in (reply(0), SimpleNamespace(), None):
            throttling.note(ProduceRequest(), silent)
    assert logs == []
    assert throttling.seconds == 0.0


async def test_a_clients_replies_are_looked_at(monkeypatch, throttling):
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")

    async def send(node, request, *, group):
        return reply(10)

    monkeypatch.setattr(client, "send", send)
    monkeypatch.setattr(module, "throttling", throttling)
    tell_of_throttling(client)
    assert (await client.send(1, FetchRequest(), group="g")).throttle_time_ms == 10
    assert throttling.seconds == 0.01
