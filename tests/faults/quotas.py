"""Quotas of a broker's clients, set and taken away while it runs (KIP-546), which aiokafka 0.14 cannot."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, Float64, Int16, Int32

from stream.kafka.flexible import NO_TAGS, STRING, groups, message, raise_for
from stream.kafka.private import ask_broker

HARNESS: Final = "fault-harness"
"""Client id of what measures and loads: it is never throttled."""
_UNLIMITED: Final = 1e12

_ENTITY: Final = groups(("type", STRING), ("name", STRING))
_ALL_CLIENTS: Final = None


@contextlib.asynccontextmanager
async def throttled(servers: str, quotas: Mapping[str, float]) -> AsyncIterator[None]:
    """Hold every client but :data:`HARNESS` to these quotas, as Kafka names them."""
    admin = AIOKafkaAdminClient(
        bootstrap_servers=servers, client_id=HARNESS, request_timeout_ms=30_000
    )
    await admin.start()
    try:
        await _alter(admin, HARNESS, dict.fromkeys(quotas, _UNLIMITED))
        await _alter(admin, _ALL_CLIENTS, quotas)
        yield
        await _alter(admin, _ALL_CLIENTS, dict.fromkeys(quotas))
    finally:
        await admin.close()


async def _alter(admin: Any, client: str | None, quotas: Mapping[str, float | None]) -> None:
    operations = [
        (name, 0.0 if value is None else value, value is None, NO_TAGS)
        for name, value in quotas.items()
    ]
    reply = await ask_broker(admin, _AlterClientQuotas(client, operations))
    for code, *_ in reply.entries:
        raise_for(code)


class _AlterClientQuotasReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 49
    API_VERSION = 1
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "entries",
            groups(("error_code", Int16), ("error_message", STRING), ("entity", _ENTITY)),
        ),
    )


class _AlterClientQuotasV1(RequestStruct):  # type: ignore[misc]  # likewise
    API_KEY = 49
    API_VERSION = 1
    RESPONSE_TYPE = _AlterClientQuotasReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        (
            "entries",
            groups(
                ("entity", _ENTITY),
                ("operations", groups(("key", STRING), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterClientQuotas(Request[_AlterClientQuotasV1]):  # type: ignore[misc]  # likewise
    API_KEY = 49

    def __init__(
        self, client: str | None, operations: list[tuple[str, float, bool, dict[int, bytes]]]
    ) -> None:
        self._client = client
        self._operations = operations

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        entity = [("client-id", self._client, NO_TAGS)]
        return request_struct_class([(entity, self._operations, NO_TAGS)], False, NO_TAGS)
