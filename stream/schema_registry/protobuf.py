"""Protobuf: bodies of messages into objects as JSON has them.

A body names its message type by indexes into the schema's file (docs.confluent.io, "Formats, Serializers,
and Deserializers", wire format). Registries hold the text of a schema; Protobuf's own compiler reads it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from schemas import OtherFormat
from stream.schema_registry.errors import UnusableSchema

_MAIN: Final = "registered-schema.proto"
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
        UnusableSchema: it does not compile, the compiler is not installed, or it has no such type.
    """
    files = _compiled(text, parts)
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    (main,) = (file for file in files if file.name == _MAIN)
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
            # A field that was not sent is absent: with its default, all without an id would be number 0.
            return json_format.MessageToDict(message, preserving_proto_field_name=True)
        except (DecodeError, IndexError, KeyError, TypeError, ValueError) as error:
            said = str(error)[:_SHOWN]
            raise OtherFormat(f"the value is not Protobuf of its schema: {said}") from None

    return read_body


def _compiled(text: str, parts: Mapping[str, str]) -> Sequence[FileDescriptorProto]:
    """Return the descriptors of a file and all that it imports, each after what it imports itself."""
    try:
        from grpc_tools import protoc  # noqa: PLC0415 - an extra
    except ImportError:
        raise UnusableSchema(
            "Protobuf needs the extra `protobuf`: pip install 'reviews-stream[protobuf]'"
        ) from None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, content in {**parts, _MAIN: text}.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\0" in name:
                raise UnusableSchema(f"the schema imports {name[:_SHOWN]!r}, which names no file")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content, encoding="utf-8")
        described = folder / "described.bin"
        known = resources.files("grpc_tools") / "_proto"
        arguments = [f"-I{folder}", f"-I{known}", "--include_imports"]
        failed = protoc.main(["protoc", *arguments, f"--descriptor_set_out={described}", _MAIN])
        if failed:
            raise UnusableSchema(
                "the schema does not compile as Protobuf; the log's lines before say why"
            )
        return list(FileDescriptorSet.FromString(described.read_bytes()).file)


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
