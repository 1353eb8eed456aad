"""Envelopes that reviews come in, and what is in them.

Kafka Connect's ``schema`` and ``payload``; Debezium's ``before``, ``after`` and ``op``, and what its
``ExtractNewRecordState`` leaves of them; rows of other tools that watch a database; CloudEvents in
structured mode; JSON as a text in JSON.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from schemas.errors import WrongShape
from schemas.row_changes import RowChange, is_without_row, row_change

Envelope = Literal["auto", "none", "connect", "debezium", "registry", "cloudevents"]
"""What is taken off; ``registry``: the bytes of a schema registry before JSON; ``auto``: all of it."""
Fields = Mapping[str, Any]

# More are no accident: a Debezium event, in Connect's payload, as a text, in a CloudEvent, is four.
_MOST_LAYERS: Final = 6
_DELETES: Final = ("d", "t", "m")
"""Debezium's operations that bring no row: delete, truncate, and a message of the database's log."""
UNAVAILABLE: Final = "__debezium_unavailable_value"
"""What Debezium sends for a long value that an update did not touch."""


def unwrapped(
    body: object, envelope: Envelope, is_review: Callable[[Fields], bool]
) -> Fields | None:
    """Return the fields of the review in a parsed message; None: it says that one was deleted.

    Args:
        body: parsed JSON.
        envelope: what may be taken off.
        is_review: tells fields that are a review's own; such are not looked into.

    Raises:
        WrongShape: there is no object in it.
    """
    for _ in range(_MOST_LAYERS):
        if isinstance(body, str) and envelope != "none":
            body = _parsed(body)
        if body is None:
            return None
        if not isinstance(body, dict):
            raise WrongShape(f"Review: a JSON object is needed, not {_kind(body)}")
        change = row_change(body) if envelope == "auto" else None
        if _is_of_no_review(body, envelope, change):
            return None
        if change is not None:
            body = _only_row(change.rows, body, is_review)
        if is_review(body):
            return body
        inner = _content(body, envelope)
        if inner is body:
            return body
        body = inner
    raise WrongShape(f"Review: more than {_MOST_LAYERS} envelopes in one another")


def deleted_row(body: object, envelope: Envelope) -> Fields:
    """Return what a message that deletes a review says of it: Debezium's ``before``, or a marked row.

    Args:
        body: parsed JSON.
        envelope: what may be taken off.

    Raises:
        WrongShape: a text in it is no JSON.
    """
    for _ in range(_MOST_LAYERS):
        if isinstance(body, str):
            body = _parsed(body)
        if not isinstance(body, dict):
            return {}
        if "payload" in body and _is_connect(body, envelope):
            body = body["payload"]
        elif envelope == "auto" and (change := row_change(body)) is not None:
            return _fields(change.rows[0]) if len(change.rows) == 1 else {}
        elif "op" in body and "before" in body:
            return _fields(_object(body["before"]))
        else:
            return body
    return {}


def _fields(row: object) -> Fields:
    return row if isinstance(row, dict) else {}


def _only_row(
    rows: Sequence[object], body: dict[str, Any], is_review: Callable[[Fields], bool]
) -> dict[str, Any]:
    """Return the one row of a change; or the message itself, where its fields are named by paths."""
    if len(rows) != 1 or not isinstance(rows[0], dict):
        raise WrongShape(f"Review: {len(rows)} rows of a table: one review a message")
    # The number that a tool gives its message names no review.
    return {k: v for k, v in body.items() if k != "id"} if is_review(body) else rows[0]


def connect_payload(body: object) -> object:
    """Return what a message of Kafka Connect holds beside its schema; any other body as it is."""
    if isinstance(body, dict) and "payload" in body and _is_connect(body, "auto"):
        return body["payload"]
    return body


def _content(body: Fields, envelope: Envelope) -> object:
    """Return what an envelope holds, or the body itself if it is none."""
    if "payload" in body and _is_connect(body, envelope):
        return body["payload"]
    if envelope in {"auto", "debezium"} and _is_change(body):
        return _row(body)
    if envelope in {"auto", "cloudevents"} and "specversion" in body:
        return _event_data(body)
    return body


def _is_connect(body: Fields, envelope: Envelope) -> bool:
    if envelope == "auto":
        return body.keys() <= {"schema", "payload"}
    return envelope in {"connect", "debezium"}


def _is_change(body: Fields) -> bool:
    """Tell whether it is a Debezium event; one of no single row, as a truncate, says only its source."""
    without_row = body.get("op") in _DELETES and "source" in body
    return "op" in body and ("after" in body or "before" in body or without_row)


def _is_of_no_review(body: Fields, envelope: Envelope, change: RowChange | None) -> bool:
    """Tell whether a message says that a row is gone, or says nothing of any.

    Asked before it is asked whether it is a review: with its fields named by paths a deleted one would be.
    """
    if envelope in {"auto", "debezium", "connect"} and _is_marked_deleted(body):
        return True
    if change is not None:
        return change.deleted
    return envelope in {"auto", "debezium"} and is_without_row(body)


def _is_marked_deleted(body: Fields) -> bool:
    return str(body.get("__deleted", "")).lower() == "true" or body.get("__op") in _DELETES


def _row(body: Fields) -> object:
    if body["op"] in _DELETES:
        return None
    after, before = _object(body.get("after")), _object(body.get("before"))
    if not isinstance(after, dict):
        raise WrongShape(f"Review: `after` of a Debezium event is {_kind(after)}")
    if UNAVAILABLE not in after.values() or not isinstance(before, dict):
        return after
    return {k: before.get(k, v) if v == UNAVAILABLE else v for k, v in after.items()}


def _object(value: object) -> object:
    """Return what a text of JSON holds, as Debezium sends MongoDB's documents."""
    return _parsed(value) if isinstance(value, str) else value


def _event_data(body: Fields) -> object:
    """Return a CloudEvent's data, named by the event if by nothing else."""
    data = body.get("data")
    if isinstance(encoded := body.get("data_base64"), str):
        try:
            data = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise WrongShape("Review: data_base64 of the CloudEvent is no JSON") from None
    data = _object(data)
    if not isinstance(data, dict):
        return data
    return {"id": body.get("subject") or body.get("id"), **data}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise WrongShape("Review: a JSON object is needed, not a text") from None


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}: one review a message"
    return {type(None): "null", str: "a text", bool: "true or false"}.get(type(value), "a number")
