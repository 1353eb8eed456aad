"""A schema that lies in a file: Avro and Protobuf of people who have no registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas import IncomingReader, RegisteredSchemas
from schemas.toml import bounded_bytes
from stream.errors import ConfigError
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.errors import UnusableSchema
from stream.schema_registry.protobuf import protobuf_reader
from stream.settings import IncomingSettings

_MOST_FILES: Final = 1_000
_IMPORT: Final = re.compile(r"""\bimport\s+(?:[a-z]+\s+)?["']([^"'\n]+)["']\s*;""")


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
        text = _text_of(path)
        if path.suffix == ".avsc":
            return avro_reader(text, {})
        return protobuf_reader(text, _imported(text, path.parent), message_type)
    except (OSError, UnicodeDecodeError, UnusableSchema) as error:
        raise ConfigError(
            f"incoming.schema_file {path}: {error}",
            "name an Avro schema (.avsc), or a Protobuf file (.proto) that has what it imports beside it",
        ) from None


def _text_of(path: Path) -> str:
    return bounded_bytes(path).decode("utf-8-sig")


def _imported(text: str, folder: Path) -> dict[str, str]:
    """Return what a Protobuf file imports, and what that does, as far as a folder has it, by name."""
    found: dict[str, str] = {}
    wanted = _IMPORT.findall(text)
    while wanted and len(found) < _MOST_FILES:
        name = wanted.pop()
        if name not in found and (folder / name).is_file():
            found[name] = _text_of(folder / name)
            wanted += _IMPORT.findall(found[name])
    return found
