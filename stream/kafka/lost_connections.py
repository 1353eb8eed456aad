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
        self._any_ended = False

    def look(self) -> None:
        """Note which there are, so that the end of each is seen though another takes its place."""
        present = set(connections_of(self._client))
        known = self._living | present
        self._living = {connection for connection in known if connection.connected()}
        ended = known - self._living - self._told
        # It stays where it is until somebody wants to use it.
        self._told = (self._told | ended) & present
        self._any_ended = self._any_ended or bool(ended)

    def any_since_asked(self) -> bool:
        """Return whether one has ended since this was asked last.

        Not seen is one that was made and replaced between two looks.
        """
        self.look()
        found, self._any_ended = self._any_ended, False
        return found
