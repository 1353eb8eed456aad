"""Setting what a cluster's brokers have agreed on, as ``kafka-features upgrade`` and ``downgrade`` do."""

from __future__ import annotations

from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, Int8, Int16, Int32

from stream.kafka.broker_features import TRANSACTION_VERSION, AskFeatures, features_in
from stream.kafka.flexible import NO_TAGS, STRING, groups, message, raise_for
from stream.kafka.private import ask_broker

_UPGRADE: Final = 1
_SAFE_DOWNGRADE: Final = 2
_TIMEOUT_MS: Final = 30_000


async def set_transaction_version(admin: Any, level: int) -> None:
    """Set a running cluster's level of ``transaction.version``; return once a broker says it.

    Args:
        admin: a started admin client.
        level: which. 1 is the lowest that a cluster of more than 0 can go back to.

    Raises:
        KafkaError: the controller refuses.
    """
    if (now := await _level(admin)) == level:
        return
    kind = _UPGRADE if level > now else _SAFE_DOWNGRADE
    reply = await ask_broker(admin, _UpdateFeature(level, kind))
    raise_for(reply.error_code)
    for _name, code, *_ in reply.results:
        raise_for(code)
    while await _level(admin) != level:
        pass  # the broker hears of it from the controller


async def _level(admin: Any) -> int:
    offered = features_in(await ask_broker(admin, AskFeatures()))
    return offered.levels.get(TRANSACTION_VERSION, 0)


class _UpdateReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 57
    API_VERSION = 1
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", STRING),
        (
            "results",
            groups(("feature", STRING), ("error_code", Int16), ("error_message", STRING)),
        ),
    )


class _UpdateFeaturesV1(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 57
    API_VERSION = 1
    RESPONSE_TYPE = _UpdateReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        ("timeout_ms", Int32),
        ("updates", groups(("feature", STRING), ("max_level", Int16), ("kind", Int8))),
        ("validate_only", Boolean),
    )


class _UpdateFeature(Request[_UpdateFeaturesV1]):  # type: ignore[misc]  # likewise
    API_KEY = 57

    def __init__(self, level: int, kind: int) -> None:
        self._update = (TRANSACTION_VERSION, level, kind, NO_TAGS)

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(_TIMEOUT_MS, [self._update], False, NO_TAGS)
