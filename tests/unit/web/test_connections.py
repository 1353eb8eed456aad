"""Connections between a transport and a server's protocol: who is waited for, and who gives way."""

import asyncio

import pytest

from stream.web.connections import ClientLimits, Connections

WAIT_SECONDS = 30


class Wire:
    """A transport that remembers whether it was cut."""

    def __init__(self, port):
        self.port = port
        self.cut = asyncio.Event()

    def get_extra_info(self, _):
        return ("127.0.0.1", self.port)

    def abort(self):
        self.cut.set()


class Server(asyncio.Protocol):
    """A server's protocol that remembers what it heard."""

    def __init__(self):
        self.heard = []

    def connection_made(self, transport):
        self.heard.append("made")

    def data_received(self, data):
        self.heard.append(data)

    def connection_lost(self, exc):
        self.heard.append("lost")


def opened(connections, port):
    server, wire = Server(), Wire(port)
    watched = connections.watched(lambda: server)()
    watched.connection_made(wire)
    return watched, wire, server


async def cut(wire):
    async with asyncio.timeout(WAIT_SECONDS):
        await wire.cut.wait()


async def test_the_server_hears_everything_in_order():
    watched, _, server = opened(Connections(), 1)
    watched.data_received(b"GET")
    watched.connection_lost(None)
    assert server.heard == ["made", b"GET", "lost"]


async def test_who_does_not_read_is_cut():
    watched, wire, _ = opened(Connections(ClientLimits(unread_seconds=0.01)), 1)
    watched.pause_writing()
    await cut(wire)


async def test_who_reads_on_is_not():
    connections = Connections(ClientLimits(unread_seconds=0.01, head_seconds=1000))
    (slow, slow_wire, _), (quick, quick_wire, _) = opened(connections, 1), opened(connections, 2)
    quick.pause_writing()
    quick.resume_writing()
    slow.pause_writing()
    await cut(slow_wire)  # its clock was set later than the other's would have been
    assert not quick_wire.cut.is_set()


async def test_a_request_that_is_being_answered_may_take_its_time():
    connections = Connections(ClientLimits(head_seconds=0.01))
    _, busy, _ = opened(connections, 1)
    with connections.answering(("127.0.0.1", 1), body=False):
        _, silent, _ = opened(connections, 2)
        await cut(silent)
        assert not busy.cut.is_set()


async def test_after_an_answer_the_next_head_has_its_own_time():
    connections = Connections(ClientLimits(head_seconds=0.01))
    watched, wire, _ = opened(connections, 1)
    with connections.answering(("127.0.0.1", 1), body=False):
        pass
    watched.data_received(b"GET")
    await cut(wire)


@pytest.mark.parametrize("body_came", [True, False])
async def test_the_connection_that_waited_longest_for_a_whole_request_gives_way(body_came):
    connections = Connections(ClientLimits(connections=2))
    _, first, _ = opened(connections, 1)
    with connections.answering(("127.0.0.1", 1), body=True) as complete:
        _, second, _ = opened(connections, 2)
        if body_came:
            complete()
        _, third, _ = opened(connections, 3)
        assert (first.cut.is_set(), second.cut.is_set()) == (not body_came, body_came)
        assert not third.cut.is_set()
    assert len(connections) == 2


async def test_where_all_are_being_answered_a_newcomer_is_turned_away():
    connections = Connections(ClientLimits(connections=1))
    opened(connections, 1)
    with connections.answering(("127.0.0.1", 1), body=False):
        watched, wire, server = opened(connections, 2)
        assert wire.cut.is_set()
        watched.connection_lost(None)
        assert server.heard == []
    assert len(connections) == 1
