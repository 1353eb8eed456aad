"""Avro: bodies of messages into objects as JSON has them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import fastavro
from fastavro import _read_py as reads_in_python

from schemas import OtherFormat
from stream.schema_registry.avro_logical_types import read_tolerantly
from stream.schema_registry.errors import UnusableSchema

_SHOWN: Final = 200
_PRIMITIVES: Final = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)
_NAMED_TYPES: Final = frozenset({"record", "error", "enum", "fixed"})
_VALUE: Final = "value"
_IGNORED: Final = ("default", "__fastavro_parsed__", "__named_schemas")
"""A writer's defaults say nothing to readers, and are often wrong; marks of fastavro would be believed."""
_MOST_NOTHINGS: Final = 10_000
"""Values that take no bytes, in one message: more are no accident, but a few records in one another."""
_MOST_NOTHINGS_LISTED: Final = 10
"""Likewise in each item of a list, of which a message has up to as many as bytes."""


def avro_reader(text: str, parts: Mapping[str, str]) -> Callable[[bytes], object]:
    """Return what reads bodies that were written with a schema.

    Args:
        text: the schema, as JSON.
        parts: schemas of names that it uses; what a part uses stands before it.

    Raises:
        UnusableSchema: it is no schema of Avro, or one that a short message could make endless work of.
    """
    named: dict[str, Any] = {}
    shape = _Shape(named)
    try:
        for part in parts.values():
            fastavro.parse_schema(_loaded(part), named_schemas=named)
        # In a record, which takes no bytes, names of parts are known wherever they stand, and a union
        # of thousands is not parsed anew for each message.
        fields = [{"name": _VALUE, "type": _loaded(text)}]
        record = {"type": "record", "name": "_Registered", "fields": fields}
        schema = fastavro.parse_schema(record, named_schemas=named)
        shape.look(schema)
    except Exception as error:  # noqa: BLE001 - whatever somebody registered
        said = str(error)[:_SHOWN] or type(error).__name__
        raise UnusableSchema(f"the schema is not one of Avro: {said}") from None
    if shape.makes_much_of_little:
        raise UnusableSchema("the schema has values of no bytes: a few bytes make billions of them")
    # The compiled reader calls itself for what lies in one another, and a long enough message overruns
    # the stack of the whole process. The one in Python ends with a RecursionError.
    read: Any = (
        reads_in_python.schemaless_reader if shape.is_recursive else fastavro.schemaless_reader
    )

    def read_body(body: bytes) -> object:
        stream = io.BytesIO(body)
        try:
            value = _plain(read(stream, schema, None)[_VALUE])
        except RecursionError:
            raise OtherFormat("the value is Avro that is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - whatever there is in bytes that say something else
            said = str(error)[:_SHOWN] or type(error).__name__
            raise OtherFormat(f"the value is not Avro of its schema: {said}") from None
        if (left := len(body) - stream.tell()) > 0:
            raise OtherFormat(f"the value is not Avro of its schema: {left} bytes are left over")
        return value

    return read_body


def _loaded(text: str) -> Any:
    """Return a schema without what is not needed to read by it, and with logical types of ours."""
    return json.loads(text, object_hook=_prepared)


def _prepared(schema: dict[str, Any]) -> dict[str, Any]:
    return read_tolerantly({name: schema[name] for name in schema if name not in _IGNORED})


class _Size(NamedTuple):
    """What a value takes."""

    bytes: bool
    """Whether it takes any."""
    nothings: int
    """How many values in it take none, at most."""


_SOME: Final = _Size(True, 0)
_NONE: Final = _Size(False, 1)


class _Shape:
    """What a schema can hold: itself, or much that takes no bytes."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._above: list[str] = []
        self._seen: dict[str, _Size] = {}
        self.is_recursive = False
        self.makes_much_of_little = False

    def look(self, schema: Any) -> _Size:
        """Look at a schema and all in it; return what a value of it takes."""
        if isinstance(schema, list):
            branches = map(self.look, schema)
            # Which branch it is takes a byte, so that a null alone is none that takes nothing.
            return _Size(
                True, max((size.nothings - (not size.bytes) for size in branches), default=0)
            )
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(kind, dict | list):
            return self.look(kind)
        if kind in {"array", "map"}:
            return self._look_at_many(schema)
        if kind in _NAMED_TYPES:
            return self._look_at_named(schema)
        if kind == "null":
            return _NONE
        # What is called as a primitive type is read as that.
        named = kind in self._named and kind not in _PRIMITIVES
        return self._look_again(kind) if named else _SOME

    def _look_at_many(self, schema: dict[str, Any]) -> _Size:
        item = self.look(schema["items" if schema["type"] == "array" else "values"])
        # Each value of a map has a name, which takes a byte.
        endless = schema["type"] == "array" and not item.bytes
        self.makes_much_of_little |= endless or item.nothings > _MOST_NOTHINGS_LISTED
        return _SOME

    def _look_at_named(self, schema: dict[str, Any]) -> _Size:
        name = schema["name"]
        if schema["type"] == "fixed":
            self._seen[name] = _NONE if int(schema["size"]) == 0 else _SOME
        elif schema["type"] == "enum":
            self._seen[name] = _SOME
        else:
            self._above.append(name)
            sizes = [self.look(field["type"]) for field in schema["fields"]]
            self._above.pop()
            takes_bytes = any(size.bytes for size in sizes)
            nothings = sum(size.nothings for size in sizes) + (not takes_bytes)
            self.makes_much_of_little |= nothings > _MOST_NOTHINGS
            self._seen[name] = _Size(takes_bytes, nothings)
        return self._seen[name]

    def _look_again(self, name: str) -> _Size:
        if name in self._above:
            self.is_recursive = True
            return _SOME  # one that only holds itself can never be written
        if name not in self._seen:
            return self.look(self._named[name])
        return self._seen[name]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: dates and decimals as texts, bytes as text or base64."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return _text_of(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | timedelta):
        return str(value)
    return value


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
