"""Clients of Kafka: what all of them can do, whoever makes one."""

from types import SimpleNamespace

import pytest

from stream.kafka import clients
from stream.kafka.connection import connection_options
from stream.kafka.private import client_of
from stream.settings import load_settings

SERVERS = "127.0.0.1:1,127.0.0.2:1"
KINDS = {
    "observer": clients.observer,
    "uncommitted observer": clients.uncommitted_observer,
    "offset observer": clients.offset_observer,
    "group reader": lambda kafka: clients.group_reader(kafka, "g"),
    "group member": lambda kafka: clients.group_member(connection_options(kafka), "g", 1_000_000),
    "idempotent producer": clients.idempotent_producer,
    "transactional producer": lambda kafka: clients.transactional_producer(kafka, "id", 10_000),
    "bulk producer": lambda kafka: clients.bulk_producer(kafka, 1_000_000),
    "admin client": clients.admin_client,
    "bare client": lambda kafka: clients.bare_client(connection_options(kafka)),
}


def connections_of(client):
    """The connections inside a client of any kind."""
    if hasattr(client, "bootstrap"):
        return client
    return getattr(client, "client", None) or client_of(client)


@pytest.mark.parametrize("kind", KINDS)
async def test_brokers_that_came_back_elsewhere_are_asked_for_where_the_settings_say(
    kind, monkeypatch
):
    asked = []
    found = SimpleNamespace(brokers=[(0, "127.0.0.1", 9092, None)])

    async def metadata(servers, options, topics):
        asked.append((servers, options["request_timeout_ms"], topics))
        return found

    monkeypatch.setattr(clients, "metadata", metadata)
    client = KINDS[kind](load_settings(kafka={"bootstrap_servers": SERVERS}).kafka)
    connections = connections_of(client)
    updated = []
    cluster = connections.cluster
    monkeypatch.setattr(cluster, "update_metadata", updated.append)
    try:
        # It knows no broker, as one whose brokers are all gone.
        assert await connections._metadata_update(cluster, {"reviews"})
    finally:
        await (client.stop() if hasattr(client, "stop") else client.close())
    assert asked == [(SERVERS, 10_000, {"reviews"})]
    assert updated == [found]


async def test_a_client_whom_nobody_answers_keeps_what_it_knows(monkeypatch):
    async def metadata(servers, options, topics):
        return None

    monkeypatch.setattr(clients, "metadata", metadata)
    client = clients.bare_client(
        connection_options(load_settings(kafka={"bootstrap_servers": SERVERS}).kafka)
    )
    try:
        assert not await client._metadata_update(client.cluster, {"reviews"})
    finally:
        await client.close()
