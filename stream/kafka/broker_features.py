"""What a broker offers: versions of requests, and features that its whole cluster has agreed on (KIP-584).

aiokafka 0.14 asks for version 0, in which no feature is named: version 3 is defined here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from io import BytesIO
from typing import Any, Final

from aiokafka.protocol.api import Request, RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import Int16, Int32

from stream.kafka.flexible import NO_TAGS, STRING, groups, message
from stream.kafka.replies import taking_apart

TRANSACTION_VERSION: Final = "transaction.version"
"""The feature whose level 2 are transactions that partitions join by being written to (KIP-890)."""

# Tags of the reply. Level: the highest that brokers may use, which all of them know.
_FINALIZED_FEATURES: Final = 2
_FEATURES: Final = groups(("name", STRING), ("max_level", Int16), ("min_level", Int16))


@dataclass(frozen=True, slots=True)
class BrokerFeatures:
    """What one broker says that it can do."""

    versions: Mapping[int, int] = field(default_factory=dict)
    """The newest version of each request, by API key."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """Of the features that its cluster has agreed on."""


def features_in(reply: Any) -> BrokerFeatures:
    """Return what the reply to :class:`AskFeatures` says.

    Raises:
        MalformedReply: it makes no sense.
    """
    with taking_apart(reply):
        return BrokerFeatures(
            {key: newest for key, _oldest, newest, _ in reply.api_keys},
            _levels(reply.tags),
        )


def _levels(tags: Mapping[int, bytes]) -> dict[str, int]:
    features = tags.get(_FINALIZED_FEATURES)
    if features is None:
        return {}
    return {name: level for name, level, _, _ in _FEATURES.decode(BytesIO(features))}


class _FeaturesReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = message(
        ("error_code", Int16),
        ("api_keys", groups(("key", Int16), ("min_version", Int16), ("max_version", Int16))),
        ("throttle_time_ms", Int32),
    )


class _AskFeaturesV3(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = _FeaturesReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(("client_software_name", STRING), ("client_software_version", STRING))

    def parse_response_header(self, read_buffer: BytesIO | bytes) -> Any:
        """Read the header of the reply, which alone of all flexible ones has no tags (KIP-511)."""
        return ResponseHeader_v0.decode(read_buffer)


class AskFeatures(Request[_AskFeaturesV3]):  # type: ignore[misc]  # likewise
    """ApiVersions of a broker that is no older than Kafka 2.4."""

    API_KEY = 18

    def build(self, request_struct_class: Any) -> Any:
        """Return the request as it goes over the wire."""
        return request_struct_class("reviews-stream", version("reviews-stream"), NO_TAGS)
