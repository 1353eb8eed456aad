"""Avro: bodies of messages into objects as JSON has them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import fastavro
from fastavro import _read_py as reads_in_python
from fastavro.schema import SchemaParseException, UnknownType

from schemas import OtherFormat
from stream.schema_registry.errors import UnusableSchema

_SHOWN: Final = 200
_NOT_READ = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_NAMED_TYPES: Final = frozenset({"record", "error", "enum", "fixed"})


def avro_reader(text: str, parts: Mapping[str, str]) -> Callable[[bytes], object]:
    """Return what reads bodies that were written with a schema.

    Args:
        text: the schema, as JSON.
        parts: schemas of names that it uses; what a part uses stands before it.

    Raises:
        UnusableSchema: it is no schema of Avro, or one that a short message could make endless work of.
    """
    named: dict[str, Any] = {}
    try:
        for part in parts.values():
            fastavro.parse_schema(json.loads(part), named_schemas=named)
        schema = fastavro.parse_schema(json.loads(text), named_schemas=named)
    except (SchemaParseException, UnknownType, *_NOT_READ) as error:
        raise UnusableSchema(f"the schema is not one of Avro: {str(error)[:_SHOWN]}") from None
    shape = _Shape(named)
    shape.look(schema)
    if shape.repeats_nothing:
        raise UnusableSchema(
            "the schema has lists of what takes no bytes: a few bytes make billions"
        )
    # The compiled reader calls itself for what lies in one another, and a long enough message overruns
    # the stack of the whole process. The one in Python ends with a RecursionError.
    read = reads_in_python.schemaless_reader if shape.is_recursive else fastavro.schemaless_reader

    def read_body(body: bytes) -> object:
        stream = io.BytesIO(body)
        try:
            value = _plain(read(stream, schema, None))
        except RecursionError:
            raise OtherFormat("the value is Avro that is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - whatever there is in bytes that say something else
            said = str(error)[:_SHOWN] or type(error).__name__
            raise OtherFormat(f"the value is not Avro of its schema: {said}") from None
        if (left := len(body) - stream.tell()) > 0:
            raise OtherFormat(f"the value is not Avro of its schema: {left} bytes are left over")
        return value

    return read_body


class _Shape:
    """What a schema can hold: itself, or lists of nothing."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._above: list[str] = []
        self._seen: dict[str, bool] = {}
        self.is_recursive = False
        self.repeats_nothing = False

    def look(self, schema: Any) -> bool:
        """Look at a schema and all in it; return whether a value of it may take no bytes."""
        if isinstance(schema, list):
            for branch in schema:
                self.look(branch)
            return False  # which branch it is takes a byte
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(kind, dict | list):
            return self.look(kind)
        if kind in {"array", "map"}:
            return self._look_at_many(schema)
        if kind in _NAMED_TYPES:
            return self._look_at_named(schema)
        return self._look_again(kind) if kind in self._named else bool(kind == "null")

    def _look_at_many(self, schema: dict[str, Any]) -> bool:
        if schema["type"] == "map":
            self.look(schema["values"])  # each has a name, which takes a byte
        else:
            self.repeats_nothing |= self.look(schema["items"])
        return False

    def _look_at_named(self, schema: dict[str, Any]) -> bool:
        name = schema["name"]
        if schema["type"] == "fixed":
            return self._found(name, int(schema["size"]) == 0)
        if schema["type"] == "enum":
            return self._found(name, False)
        self._above.append(name)
        empty = [self.look(field["type"]) for field in schema["fields"]]
        self._above.pop()
        return self._found(name, all(empty))

    def _look_again(self, name: str) -> bool:
        if name in self._above:
            self.is_recursive = True
            return False  # one that only holds itself can never be written
        if name not in self._seen:
            return self.look(self._named[name])
        return self._seen[name]

    def _found(self, name: str, empty: bool) -> bool:
        self._seen[name] = empty
        return empty


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
