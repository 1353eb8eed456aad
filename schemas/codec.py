"""Events to bytes and back, with errors that say what is wrong and where."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import ValidationError

from schemas.errors import NotJson, TooLarge, UnknownSchemaVersion, WrongShape
from schemas.events import SCHEMA_VERSION, Event

EventT = TypeVar("EventT", bound=Event)

MAX_EVENT_BYTES: Final = 262_144
"""Largest value that :func:`decode` reads: a text of 20 thousand characters in the longest JSON
escape (12 bytes a character outside the BMP) fits."""


def encode(event: Event) -> bytes:
    """Return the event as UTF-8 JSON."""
    return event.model_dump_json().encode()


def decode(event_type: type[EventT], value: bytes | None) -> EventT:
    """Parse a message's value.

    Raises:
        NotJson: no value, invalid UTF-8, or not JSON.
        WrongShape: a field is missing or of the wrong type.
        UnknownSchemaVersion: the event was made by a newer contract.
        TooLarge: the value exceeds :data:`MAX_EVENT_BYTES`.
    """
    if value is None:
        raise NotJson("the message has no value (null)")
    if len(value) > MAX_EVENT_BYTES:
        raise too_large(value)
    try:
        event = event_type.model_validate_json(value)
    except ValidationError as error:
        raise _explain(event_type, value, error) from None
    if not 1 <= event.schema_version <= SCHEMA_VERSION:
        raise UnknownSchemaVersion(
            f"schema_version {event.schema_version} is not known; "
            f"this reader knows 1 to {SCHEMA_VERSION}"
        )
    return event


def review_id_of(key: bytes | None) -> str | None:
    """Return the review that a message's key names; None: no key, or no id of ours."""
    try:
        # surrogatepass: as keys are written, whatever id was accepted.
        return None if key is None else key.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def too_large(value: bytes) -> TooLarge:
    """Return what to say of a value over :data:`MAX_EVENT_BYTES`."""
    return TooLarge(f"the value is {len(value):,} bytes; at most {MAX_EVENT_BYTES:,} are read")


def wrong_shape(event_type: type[Event], error: ValidationError) -> WrongShape:
    """Return what to say of an event that breaks its contract: the first field that does, and how."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the value"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return WrongShape(f"{event_type.__name__}: {where}: {first['msg']}{more}")


def _explain(event_type: type[Event], value: bytes, error: ValidationError) -> NotJson | WrongShape:
    try:
        value.decode()
    except UnicodeDecodeError as cause:
        return NotJson(f"the value is not UTF-8: {cause.reason} at byte {cause.start}")
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return NotJson(f"the value is not JSON: {first['msg']}")
    return wrong_shape(event_type, error)
