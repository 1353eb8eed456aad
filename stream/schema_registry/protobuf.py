"""Protobuf: bodies of messages into objects as JSON has them.

A body names its message type by indexes into the schema's file (docs.confluent.io, "Formats, Serializers,
and Deserializers", wire format). Registries hold the text of a schema; Protobuf's own compiler reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from schemas import OtherFormat
from stream.schema_registry.errors import UnusableSchema
from stream.schema_registry.protobuf_compiler import MAIN_FILE, compiled
from stream.schema_registry.protobuf_json import as_json

_ONLY: Final[tuple[int, ...]] = ()
"""Stands for the type of bodies that name none: indexes of a body are never without one."""
_SHOWN: Final = 200
_MOST_INDEXES: Final = 32
_MOST_VARINT_BYTES: Final = 10
_MORE_FOLLOWS: Final = 0x80


def protobuf_reader(
    text: str, parts: Mapping[str, str], message_type: str | None = None
) -> Callable[[bytes], object]:
    """Return what reads bodies that were written with a schema.

    Args:
        text: the schema, as a ``.proto`` file has it.
        parts: files that it imports, by the name it uses.
        message_type: full name of the type of all bodies, which then name none; empty: the file's first.
            Unless given, indexes in each body name it.

    Raises:
        UnusableSchema: it does not compile, or it has no such type.
        RegistryUnavailable: the compiler is not installed, or cannot run at the moment.
    """
    files = compiled(text, parts)
    pool = DescriptorPool()
    try:
        for file in files:
            pool.Add(file)
    except TypeError as error:  # what the compiler allows, and this library does not
        raise UnusableSchema(f"the schema cannot be used: {str(error)[:_SHOWN]}") from None
    (main,) = (file for file in files if file.name == MAIN_FILE)
    types: dict[tuple[int, ...], Any] = {}
    if message_type is not None:
        types[_ONLY] = _only_type(pool, main, message_type)

    def read_body(body: bytes) -> object:
        indexes, start = _indexes(body) if message_type is None else (_ONLY, 0)
        try:
            if (made := types.get(indexes)) is None:
                name = _type_name(main, indexes)
                made = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
                types[indexes] = made
            message = made()
            message.ParseFromString(body[start:])
            return as_json(message, pool)
        except RecursionError:
            raise OtherFormat("the value is Protobuf that is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - whatever there is in bytes that say something else
            said = str(error)[:_SHOWN] or type(error).__name__
            raise OtherFormat(f"the value is not Protobuf of its schema: {said}") from None

    return read_body


def _only_type(pool: DescriptorPool, file: FileDescriptorProto, name: str) -> Any:
    try:
        found = pool.FindMessageTypeByName(name or _type_name(file, (0,)))
    except (IndexError, KeyError):
        raise UnusableSchema(f"the schema has no message type {name[:_SHOWN]}".rstrip()) from None
    return message_factory.GetMessageClass(found)


def _type_name(file: FileDescriptorProto, indexes: tuple[int, ...]) -> str:
    """Return the full name of the message type that indexes lead to: from the file into what it holds."""
    names = [file.package] if file.package else []
    inside: Sequence[DescriptorProto] = file.message_type
    for index in indexes:
        found = inside[index]
        names.append(found.name)
        inside = found.nested_type
    return ".".join(names)


def _indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """Return the indexes before a message, and where it begins; a single nought is the first type."""
    count, at = _zigzag(body, 0)
    if not 0 <= count <= _MOST_INDEXES:
        raise OtherFormat("the value is not Protobuf of its schema: it names no message type")
    found = []
    for _ in range(count):
        index, at = _zigzag(body, at)
        if index < 0:
            raise OtherFormat("the value is not Protobuf of its schema: it names no message type")
        found.append(index)
    return tuple(found) or (0,), at


def _zigzag(body: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift, byte in enumerate(body[at : at + _MOST_VARINT_BYTES]):
        number |= (byte & (_MORE_FOLLOWS - 1)) << (7 * shift)
        if byte < _MORE_FOLLOWS:
            return (number >> 1) ^ -(number & 1), at + shift + 1
    raise OtherFormat("the value is not Protobuf of its schema: it ends too soon")
