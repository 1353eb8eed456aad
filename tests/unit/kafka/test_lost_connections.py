"""A connection that ended is noticed once, also if it has been replaced since."""

from types import SimpleNamespace

import pytest

from stream.kafka.lost_connections import LostConnections


class Connection:
    def __init__(self):
        self.is_up = True

    def connected(self):
        return self.is_up


@pytest.fixture
def client():
    return SimpleNamespace(_conns={"a": Connection(), "b": Connection()})


@pytest.fixture
def lost(client):
    lost = LostConnections(client)
    assert not lost.any_since_asked()
    return lost


def test_as_long_as_all_last_none_is_lost(client, lost):
    client._conns["c"] = Connection()
    assert not lost.any_since_asked()


def test_one_that_ended_is_told_once(client, lost):
    client._conns["a"].is_up = False
    assert [lost.any_since_asked() for _ in range(2)] == [True, False]
    client._conns["a"] = Connection()
    assert not lost.any_since_asked()


def test_one_that_was_replaced_is_told(client, lost):
    client._conns["a"].is_up = False
    client._conns["a"] = Connection()
    assert [lost.any_since_asked() for _ in range(2)] == [True, False]


def test_one_that_was_made_since_and_looked_at_is_told_though_it_was_replaced_before_the_question(
    client, lost
):
    client._conns["c"] = Connection()
    lost.look()
    client._conns["c"].is_up = False
    client._conns["c"] = Connection()
    assert lost.any_since_asked()
