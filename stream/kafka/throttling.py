"""A broker holds its clients to quotas and says so in its replies (KIP-124, KIP-219): that is told.

aiokafka 0.14 does not look at it. Nothing else shows: the broker leaves the connection's next request
unread for as long as it said, and if that is longer than ``request_timeout_ms``, the client meets a
time-out as of a broker that is down.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest

# Throttled for less in a minute is how quotas are meant to work.
_WORTH_A_LINE_MS: Final = 1000
_EVERY_SECONDS: Final = 60.0
# By the request's number in Kafka's protocol, which our own requests share with aiokafka's.
_QUOTAS: Final = {
    ProduceRequest.API_KEY: "producer_byte_rate",
    FetchRequest.API_KEY: "consumer_byte_rate",
    CreateTopicsRequest.API_KEY: "controller_mutation_rate",
    CreatePartitionsRequest.API_KEY: "controller_mutation_rate",
    DeleteTopicsRequest.API_KEY: "controller_mutation_rate",
}
_OF_ANY: Final = "request_percentage"

_log = structlog.get_logger(__name__)


class Throttling:
    """How long brokers have held this process back.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0
        """In all: sums of what replies said, which may overlap on several connections."""
        self._clock = clock
        self._untold: Counter[str] = Counter()
        self._told_at: float | None = None

    def note(self, request: Any, reply: Any) -> None:
        """Look at a reply; log once a minute what there is to say."""
        throttled = getattr(reply, "throttle_time_ms", 0) or 0
        if throttled <= 0:
            return
        self.seconds += throttled / 1000
        self._untold[_QUOTAS.get(request.API_KEY, _OF_ANY)] += throttled
        now = self._clock()
        due = self._told_at is None or now - self._told_at >= _EVERY_SECONDS
        if due and self._untold.total() >= _WORTH_A_LINE_MS:
            _log.warning(
                "broker_throttles",
                seconds=round(self._untold.total() / 1000, 1),
                quotas=sorted(self._untold),
                reason="the broker holds this client to a quota: requests wait, and may time out",
                remedy="raise it (kafka-configs.sh --entity-type users or clients), or send less",
            )
            self._untold.clear()
            self._told_at = now


throttling: Final = Throttling()
"""Of this process."""


def tell_of_throttling(client: Any) -> None:
    """Let the replies to a client's requests be looked at.

    Args:
        client: connections, not started.
    """
    send = client.send

    async def send_and_look(node: Any, request: Any, *args: Any, **options: Any) -> Any:
        reply = await send(node, request, *args, **options)
        throttling.note(request, reply)
        return reply

    client.send = send_and_look
