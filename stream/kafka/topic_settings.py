"""Giving topics that exist the settings of the contract.

Only what falls short is set, each setting by itself (KIP-339): what somebody else has set stays as it is.
aiokafka 0.14 knows the request that replaces all of a topic's settings, and not this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactString, Int8, Int16, Int32

from stream.errors import TopicMissing
from stream.kafka.administering import administering
from stream.kafka.flexible import NO_TAGS, STRING, groups, message
from stream.kafka.private import ask_broker
from stream.kafka.replies import require_none_refused
from stream.kafka.topic_descriptions import describe_topics
from stream.settings import Settings

_TOPIC: Final = 2
"""A topic among the kinds of things that have settings."""
_SET: Final = 0


@dataclass(frozen=True, slots=True)
class TopicChange:
    """One setting of a topic that falls short of the contract."""

    topic: str
    setting: str
    """As Kafka names it."""
    found: str
    wanted: str


async def missing_settings(settings: Settings) -> list[TopicChange]:
    """Return what topics that exist lack of the contract's settings.

    Raises:
        BrokerError: no broker answers, or it refuses to say.
        TopicMissing: none of them is there.
    """
    policies = {policy.name: policy for policy in settings.topic_names.policies()}
    found = [topic for topic in await describe_topics(settings) if topic.exists]
    if not found:
        raise TopicMissing(
            f"no topic of the prefix {settings.topics.prefix} is there",
            "create them with `reviews topics create`, or correct REVIEWS_TOPICS__PREFIX",
        )
    return [
        TopicChange(topic.name, name, topic.config[name], wanted)
        for topic in found
        for name, wanted in policies[topic.name].falls_short(topic.config).items()
    ]


async def apply_settings(settings: Settings, changes: list[TopicChange]) -> None:
    """Set what topics lack. A topic gets all of its settings or none.

    Raises:
        BrokerError: no broker answers, or it refuses some; the others are set.
    """
    if not changes:
        return
    async with administering(settings.kafka) as admin:
        reply = await ask_broker(admin, _AlterSettings(changes))
    answers = ((name, why, code) for code, why, _, name, _ in reply.responses if code)
    refused = {name: why or for_code(code).__name__ for name, why, code in answers}
    require_none_refused(
        refused,
        "the settings of topic {} cannot be changed",
        "ask for the right to AlterConfigs (`reviews acl operator`), or have the cluster's owner "
        "set what `reviews topics update --dry-run` lists",
    )


class _AlteredReply(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 44
    API_VERSION = 1
    SCHEMA = message(
        ("throttle_time_ms", Int32),
        (
            "responses",
            groups(
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("resource_type", Int8),
                ("resource_name", STRING),
            ),
        ),
    )


class _AlterSettingsV1(RequestStruct):  # type: ignore[misc]  # likewise
    API_KEY = 44
    API_VERSION = 1
    RESPONSE_TYPE = _AlteredReply
    FLEXIBLE_VERSION = True
    SCHEMA = message(
        (
            "resources",
            groups(
                ("resource_type", Int8),
                ("resource_name", STRING),
                (
                    "configs",
                    groups(("name", STRING), ("config_operation", Int8), ("value", STRING)),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterSettings(Request[_AlterSettingsV1]):  # type: ignore[misc]  # likewise
    """IncrementalAlterConfigs, of topics."""

    API_KEY = 44

    def __init__(self, changes: list[TopicChange]) -> None:
        self._changes = changes

    def build(self, request_struct_class: Any) -> Any:
        by_topic: dict[str, list[tuple[str, int, str, dict[int, bytes]]]] = {}
        for change in self._changes:
            entry = (change.setting, _SET, change.wanted, NO_TAGS)
            by_topic.setdefault(change.topic, []).append(entry)
        resources = [(_TOPIC, topic, entries, NO_TAGS) for topic, entries in by_topic.items()]
        return request_struct_class(resources, False, NO_TAGS)
