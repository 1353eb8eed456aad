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
        self._known: set[Any] = set()

    def any_since_last_look(self) -> bool:
        """Return whether one has ended that was there at the last look, or that was made since.

        Not seen is one that was made and replaced between two looks.
        """
        self._known.update(connections_of(self._client))
        ended = {connection for connection in self._known if not connection.connected()}
        self._known -= ended
        return bool(ended)
