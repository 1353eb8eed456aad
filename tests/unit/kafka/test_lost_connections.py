"""A connection that ended is noticed once, also if it has been replaced since."""

import pytest

from stream.kafka.lost_connections import LostConnections


class Connection:
    def __init__(self):
        self.is_up = True

    def connected(self):
        return self.is_up


class Client:
    """What an ``AIOKafkaClient`` does with connections, as ``test_private.py`` sees to."""

    def __init__(self):
        self._conns = {}
        self.stale = []

    def _on_connection_closed(self, connection, reason):
        self.stale.append(reason)

    def connect(self, broker):
        self._conns[broker] = Connection()

    def lose(self, broker):
        connection = self._conns[broker]
        connection.is_up = False
        self._on_connection_closed(connection, "broken")


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def lost(client):
    lost = LostConnections(client)
    client.connect("a")
    client.connect("b")
    assert not lost.any_since_asked()
    return lost


def test_as_long_as_all_last_none_is_lost(client, lost):
    client.connect("c")
    assert not lost.any_since_asked()


def test_one_that_closed_is_told_once(client, lost):
    client.lose("a")
    assert [lost.any_since_asked() for _ in range(2)] == [True, False]
    client.connect("a")
    assert not lost.any_since_asked()


def test_one_that_came_and_went_and_was_replaced_between_two_questions_is_told(client, lost):
    client.connect("c")
    client.lose("c")
    client.connect("c")
    assert [lost.any_since_asked() for _ in range(2)] == [True, False]


def test_one_that_the_broker_has_ended_and_nobody_has_closed_yet_is_told_once(client, lost):
    client._conns["a"].is_up = False
    assert lost.any_since_asked()
    client.lose("a")
    assert not lost.any_since_asked()


def test_the_client_still_hears_that_a_connection_closed(client, lost):
    client.lose("a")
    assert client.stale == ["broken"]
