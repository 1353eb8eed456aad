"""Messages of Protobuf as JSON has them, so that no value of well-known types costs a review.

JSON holds no date beyond the year 9999, and nothing of an ``Any`` whose type is not known. What it cannot
hold stays as it is, in Protobuf's own text format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.text_format import MessageToString

_Path = tuple[str | int, ...]


def as_json(message: Message, pool: DescriptorPool) -> object:
    """Return a message as JSON has it.

    Args:
        message: it is changed where JSON cannot hold it.
        pool: with the types of what ``Any`` holds.
    """
    # A field that was not sent is absent: with its default, all without an id would be number 0.
    to_object = partial(MessageToDict, preserving_proto_field_name=True, descriptor_pool=pool)
    try:
        return to_object(message)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - each well-known type has errors of its own
        kept = []
        for path, part in _well_known_in(message):
            try:
                to_object(part)
            except RecursionError:
                raise
            except Exception:  # noqa: BLE001 - likewise
                kept.append((path, MessageToString(part, as_one_line=True)))
                part.Clear()
        found: Any = to_object(message)
        for (*above, last), text in kept:
            inside = found
            for key in above:
                inside = inside[key]
            inside[last] = text
        return found


def _well_known_in(message: Message) -> Iterator[tuple[_Path, Message]]:
    """Yield all parts of well-known types, each with the keys that lead to it in JSON."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        name = f"[{field.full_name}]" if field.is_extension else field.name
        for path, part in _parts_of(name, value):
            if part.DESCRIPTOR.file.name.startswith("google/protobuf/"):
                yield path, part
            else:
                yield from (((*path, *inner), known) for inner, known in _well_known_in(part))


def _parts_of(name: str, value: object) -> Iterator[tuple[_Path, Message]]:
    """Yield the messages that a field holds: one, or those in a list or a map."""
    if isinstance(value, Message):
        yield (name,), value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if isinstance(part, Message):
                yield (name, str(key).lower() if isinstance(key, bool) else str(key)), part
    elif isinstance(value, Sequence):
        yield from (((name, index), part) for index, part in enumerate(value))
