"""Noticing that a connection was lost, which aiokafka makes anew without a word."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from stream.kafka.private import connections_of, hear_closings


class LostConnections:
    """The connections of a client that have ended, those that were replaced since among them.

    Args:
        client: an ``AIOKafkaClient`` without connections as yet.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._told: WeakSet[Any] = WeakSet()
        self._any_ended = False
        hear_closings(client, self._ended)

    def any_since_asked(self) -> bool:
        """Return whether one has ended since this was asked last."""
        for connection in connections_of(self._client):
            # The broker has hung up, and the client's own reader has yet to find out.
            if not connection.connected():
                self._ended(connection)
        found, self._any_ended = self._any_ended, False
        return found

    def _ended(self, connection: Any) -> None:
        if connection not in self._told:
            self._told.add(connection)
            self._any_ended = True
