"""Messages as producers with a schema registry send them: an Avro body, and Confluent's bytes before it."""

import io
from typing import Any

import fastavro


def avro_body(schema: Any, value: Any) -> bytes:
    """Return a value written with a schema of Avro, parsed or not."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


def wired(schema_id: int, body: bytes) -> bytes:
    """Return a body in Confluent's wire format."""
    return b"\0" + schema_id.to_bytes(4, "big") + body
