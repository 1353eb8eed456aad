"""A schema that lies in a file: Avro and Protobuf of people who have no registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas import IncomingReader, RegisteredSchemas
from stream.errors import ConfigError
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.errors import UnusableSchema
from stream.schema_registry.protobuf import protobuf_reader
from stream.settings import IncomingSettings

_MOST_FILES: Final = 1_000


def incoming_reader(
    incoming: IncomingSettings, schemas: RegisteredSchemas | None = None
) -> IncomingReader:
    """Return what reads messages as the settings say.

    Args:
        incoming: what stands on the topic.
        schemas: what a registry knows; None: there is none.

    Raises:
        ConfigError: the file of a schema cannot be read or used.
    """
    if incoming.schema_file is None:
        return incoming.reader(schemas)
    return incoming.reader(schemas, _reader_of(incoming.schema_file, incoming.message_type))


def _reader_of(path: Path, message_type: str) -> Callable[[bytes], object]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".avsc":
            return avro_reader(text, {})
        return protobuf_reader(text, _beside(path), message_type)
    except (OSError, UnicodeDecodeError, UnusableSchema) as error:
        raise ConfigError(
            f"incoming.schema_file {path}: {error}",
            "name an Avro schema (.avsc), or a Protobuf file (.proto) that has what it imports beside it",
        ) from None


def _beside(path: Path) -> dict[str, str]:
    """Return the other Protobuf files of a folder by their names from there, as imports have them."""
    found: dict[str, str] = {}
    for other in sorted(path.parent.rglob("*.proto"))[:_MOST_FILES]:
        if other != path and other.is_file():
            name = other.relative_to(path.parent).as_posix()
            found[name] = other.read_text(encoding="utf-8-sig")
    return found
