"""Writing the contract down for other languages: ``python -m schemas.generate``.

One JSON Schema (draft 2020-12) an event, and one AsyncAPI 3 document with the Kafka bindings, all
derived from the models, so that they cannot say anything else. A test fails when they are stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.events import (
    EVENTS,
    SCHEMA_VERSION,
    BatchSummary,
    CategorizedReview,
    CategoryWindow,
    Event,
    GuardDecision,
    Judgement,
    Label,
    ModelAnnouncement,
    RelabelTask,
    ReplayProgress,
    Review,
)
from schemas.taxonomy import all_categories, category_infos
from schemas.topics import TopicNames, TopicPolicy

GENERATED: Final = Path(__file__).parent / "generated"
ASYNCAPI_FILE: Final = "asyncapi.json"
# https://github.com/asyncapi/bindings/tree/master/kafka
KAFKA_BINDING: Final = "0.5.0"

_CLOUD_EVENT: Final = {
    "ce_specversion": "CloudEvents version, 1.0.",
    "ce_id": "Unique for one source; the same for a repetition.",
    "ce_source": "Who published it, a URI reference.",
    "ce_type": "Type and version of the event.",
    "ce_subject": "Review id, or what else it is about; control characters percent-encoded.",
    "ce_time": "When it happened, RFC 3339.",
    "ce_dataschema": "The `$id` of the payload's JSON Schema.",
    "content-type": "application/json",
}
_DEAD_LETTER: Final = {
    "dlq.error.code": "Stable code of what is wrong.",
    "dlq.error.message": "What is wrong, a sentence.",
    "dlq.source.topic": "Where the original stood.",
    "dlq.source.partition": "Likewise.",
    "dlq.source.offset": "Likewise.",
    "dlq.source.timestamp": "Timestamp of the original, milliseconds.",
    "dlq.group": "Consumer group that refused it.",
    "dlq.worker": "Worker that refused it.",
    "dlq.original.value-bytes": "Only if the original was cut: what its value took.",
    "dlq.original.sha256": "Likewise: of the whole value, in hexadecimal digits.",
    "dlq.original.key-bytes": "Likewise: what its key took.",
    "dlq.original.header-bytes": "Likewise: what all its headers took.",
    "dlq.source.last-offset": "Likewise, of a record batch that cannot be read: its last offset.",
}


_DEFAULT: Final = TopicNames()


def schema_file(event: type[Event]) -> str:
    """Return the name of an event's schema file: a new version gets a new file."""
    return f"{event.__name__}.v{SCHEMA_VERSION}.json"


def json_schema(event: type[Event]) -> dict[str, Any]:
    """Return what a reader of this contract accepts. Unknown fields are tolerated."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:reviews-stream:{event.__name__}:{SCHEMA_VERSION}",
        **event.model_json_schema(mode="validation"),
    }


def asyncapi(topics: TopicNames = _DEFAULT) -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics.

    Args:
        topics: their names, and whether each category has one of its own.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Reviews by category",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Reviews come in on one topic; each leaves on its category's topic, on "
            "the relabel topic, or on the dead-letter topic, exactly once.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:9092", "protocol": "kafka"}},
        "channels": _channels(topics),
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def rendered(topics: TopicNames = _DEFAULT) -> dict[str, str]:
    """Return every generated file by name."""
    files: dict[str, Mapping[str, Any]] = {schema_file(e): json_schema(e) for e in EVENTS}
    files[ASYNCAPI_FILE] = asyncapi(topics)
    return {
        name: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in files.items()
    }


def write(folder: Path, topics: TopicNames = _DEFAULT) -> list[Path]:
    """Write all files, and return them. What else is in the folder is somebody's own, and stays.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = rendered(topics)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in files]


# Channel by the topic's attribute, its event, and what the pipeline does there.
_SINGLE_TOPICS: Final[tuple[tuple[str, type[Event] | None, str], ...]] = (
    ("incoming", Review, "receive"),
    ("relabel", RelabelTask, "send"),
    ("labels", Label, "send"),
    ("judgements", Judgement, "send"),
    ("dead_letter", None, "send"),
    ("replays", ReplayProgress, "send"),
    ("models", ModelAnnouncement, "receive"),
    ("guard", GuardDecision, "send"),
    ("batches", BatchSummary, "send"),
    ("stats", CategoryWindow, "send"),
)
_CATEGORY_CHANNEL: Final = "category"
_DEAD_LETTER_MESSAGE: Final = "DeadLetter"


def _channels(topics: TopicNames) -> dict[str, Any]:
    policies = {policy.name: policy for policy in topics.policies()}
    channels: dict[str, Any] = {}
    for name, event, _ in _SINGLE_TOPICS:
        policy = policies[getattr(topics, name)]
        channels[name] = {"address": policy.name, **_channel(policy, event)}
    channels[_CATEGORY_CHANNEL] = _category_channel(topics, policies)
    return channels


def _category_channel(topics: TopicNames, policies: Mapping[str, TopicPolicy]) -> dict[str, Any]:
    first = policies[topics.category(all_categories()[0])]
    if topics.layout == "single":
        return {"address": first.name, **_channel(first, CategorizedReview)}
    meanings = "; ".join(f"{i.category.slug}: {i.name('en')}" for i in category_infos())
    return {
        "address": f"{topics.prefix}.category.{{category}}{topics.output_suffix}",
        **_channel(first, CategorizedReview),
        "description": "reviews of one category",
        "parameters": {
            "category": {"enum": [c.slug for c in all_categories()], "description": meanings}
        },
    }


def _channel(policy: TopicPolicy, event: type[Event] | None) -> dict[str, Any]:
    message = event.__name__ if event else _DEAD_LETTER_MESSAGE
    binding: dict[str, Any] = {
        "topicConfiguration": _topic_configuration(policy),
        "bindingVersion": KAFKA_BINDING,
    }
    if policy.single_partition:
        binding["partitions"] = 1
    return {
        "description": policy.description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": binding},
    }


def _topic_configuration(policy: TopicPolicy) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": [policy.cleanup]}
    for name, value in policy.config().items():
        if name != "cleanup.policy":
            configuration[name] = int(value) if value.lstrip("-").isdecimal() else value
    return configuration


def _operations() -> dict[str, Any]:
    """Return what the pipeline does, from its own point of view."""
    actions = [(name, action) for name, _, action in _SINGLE_TOPICS]
    return {
        f"{action}-{name}": {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
        for name, action in (*actions, (_CATEGORY_CHANNEL, "send"))
    }


def _messages() -> dict[str, Any]:
    messages = {event.__name__: _message(event) for event in EVENTS}
    messages[_DEAD_LETTER_MESSAGE] = {
        "name": _DEAD_LETTER_MESSAGE,
        "summary": "A message that could not be processed: original bytes, key and headers.",
        "headers": _headers(_DEAD_LETTER),
        "contentType": "application/octet-stream",
        "bindings": {"kafka": {"bindingVersion": KAFKA_BINDING}},
    }
    return messages


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.__name__,
        "summary": (event.__doc__ or "").strip().split("\n")[0].replace("``", "`"),
        "headers": _headers(_CLOUD_EVENT),
        "payload": {"$ref": f"./{schema_file(event)}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDING}},
    }


def _headers(meanings: Mapping[str, str]) -> dict[str, Any]:
    properties = {name: {"type": "string", "description": text} for name, text in meanings.items()}
    return {"type": "object", "properties": properties}


if __name__ == "__main__":
    kept = {*rendered()}
    for path in GENERATED.glob("*.json"):
        if path.name not in kept:
            path.unlink()
    for path in write(GENERATED):
        sys.stderr.write(f"{path}\n")
