"""Schemas of incoming messages: asked for at a registry, and used to read Avro and Protobuf.

::

    messages ─► known_schemas ─► registry (HTTP)       which schema does an id stand for?
    schema_file ─────┴────────► avro, protobuf         what does a body say by that schema?
"""

from stream.schema_registry.errors import RegistryRefusal, RegistryUnavailable
from stream.schema_registry.known_schemas import KnownSchemas, asking
from stream.schema_registry.schema_file import incoming_reader

__all__ = ["KnownSchemas", "RegistryRefusal", "RegistryUnavailable", "asking", "incoming_reader"]
