"""Noticing that a connection was lost, which aiokafka makes anew without a word."""

from __future__ import annotations

from typing import Any

from stream.kafka.private import connections_of


class LostConnections:
    """The connections of a client that have ended.

    Args:
        client: an ``AIOKafkaClient``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._living: set[Any] = set()
        self._told: set[Any] = set()

    def any_since_last_look(self) -> bool:
        """Return whether one has ended that was there at the last look, or that was made since.

        Not seen is one that was made and replaced between two looks.
        """
        present = set(connections_of(self._client))
        known = self._living | present
        self._living = {connection for connection in known if connection.connected()}
        ended = known - self._living - self._told
        # It stays where it is until somebody wants to use it.
        self._told = (self._told | ended) & present
        return bool(ended)
