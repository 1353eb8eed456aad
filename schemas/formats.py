"""What a message is that is no JSON: formats that people have on Kafka, told by their first bytes.

Wire formats of schema registries: Confluent's (a zero byte, four bytes of schema id), Apicurio's older
one (a zero byte, eight bytes), AWS Glue's (3, compression, 16 bytes of a version's UUID).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

_CONFLUENT_HEAD: Final = 5
_APICURIO_HEAD: Final = 9
_GLUE_HEAD: Final = 18
_GLUE_VERSION: Final = 3
_MOST_ID: Final = 2**31 - 1
"""Of Confluent's registry, whose ids are integers of Java: it says of larger ones that there is no such page."""
_WHITE: Final = b" \t\r\n"
_JSON_BEGINS: Final = frozenset((b"{", b"[", b'"', b"\xef"))
_REMEDY: Final = "reviews are read as JSON: have the producer or connector write that"
_REGISTRY: Final = "REVIEWS_SCHEMA_REGISTRY__URL names the registry that knows it"
_SIGNATURES: Final = (
    (b"Obj\x01", "an Avro file"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"x\x01", "zlib"),
    (b"x\x9c", "zlib"),
    (b"x\xda", "zlib"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x82SNAPPY\x00", "snappy"),
    (b"\xd9\xd9\xf7", "CBOR"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\xac\xed\x00\x05", "a serialised Java object"),
    (b"%PDF", "a PDF"),
    (b"<?xml", "XML"),
)
_MESSAGE_PACK_MAPS: Final = (range(0x80, 0x90), range(0xDE, 0xE0))
_CBOR_MAPS: Final = (range(0xA1, 0xB8), range(0xBF, 0xC0))
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES: Final = 10


def registry_head(value: bytes) -> int:
    """Return how many bytes of a schema registry stand before JSON; 0: none do."""
    if value[:1] == b"\x00":
        sizes: tuple[int, ...] = (_CONFLUENT_HEAD, _APICURIO_HEAD)
    elif value[:2] == bytes((_GLUE_VERSION, 0)):  # the second: not compressed
        sizes = (_GLUE_HEAD,)
    else:
        return 0
    for size in sizes:
        if value[size : size + 4] == b"null" or value[size : size + 1] in _JSON_BEGINS:
            return size
    return 0


def schema_named_by(value: bytes) -> tuple[int, int] | None:
    """Return a schema's id in a registry, and how many bytes stand before the body; None: it names none.

    Confluent's wire format, and the older one of Apicurio, whose ids have eight bytes. Registries count
    from one, so that the first half of a small id of eight bytes is no id of four.
    """
    if value[:1] != b"\x00" or _is_wide_json(value):
        return None
    for size in (_CONFLUENT_HEAD, _APICURIO_HEAD):
        number = int.from_bytes(value[1:size], "big")
        if len(value) >= size and 0 < number <= _MOST_ID:
            return number, size
    return None


def looks_like_json(value: bytes) -> bool:
    """Tell whether a value begins as JSON in UTF-8 does, or is empty or null."""
    begins = value.lstrip(_WHITE)[:4]
    return begins[:1] in _JSON_BEGINS or begins in {b"", b"null"}


def binary_format(value: bytes) -> str | None:
    """Return a sentence on what a value is, and what to do; None: nothing that is known here."""
    if value[:1] == b"\x00" and len(value) > _CONFLUENT_HEAD and not _is_wide_json(value):
        number = int.from_bytes(value[1:_CONFLUENT_HEAD], "big")
        body = value[_CONFLUENT_HEAD:]
        kind = "Protobuf" if _is_protobuf(body) else "Avro, or another binary format"
        return (
            f"{kind}, behind schema id {number} (Confluent wire format, magic byte 0); {_REGISTRY}"
        )
    if value[:1] == bytes((_GLUE_VERSION,)) and len(value) > _GLUE_HEAD and value[1] in {0, 5}:
        version = UUID(bytes=value[2:_GLUE_HEAD])
        return f"a binary format behind schema version {version} (AWS Glue wire format); {_REMEDY}"
    for signature, name in _SIGNATURES:
        if value.startswith(signature):
            return f"{name}; {_REMEDY}"
    if value and any(value[0] in first for first in _MESSAGE_PACK_MAPS):
        return f"a binary format, by its first byte MessagePack; {_REMEDY}"
    if value and any(value[0] in first for first in _CBOR_MAPS):
        return f"a binary format, by its first byte CBOR; {_REMEDY}"
    return None


def _is_wide_json(value: bytes) -> bool:
    """Tell whether it may be JSON of two bytes a character, high byte first."""
    return value[1:2] in _JSON_BEGINS and value[2:3] == b"\x00"


def _is_protobuf(body: bytes) -> bool:
    """Tell whether message indexes and fields of Protobuf fill the body exactly."""
    count, at = _varint(body, 0)
    for _ in range(min(count // 2, _MOST_VARINT_BYTES)):  # the count is written zigzag
        _, at = _varint(body, at)
    fields = 0
    while 0 <= at < len(body):
        tag, at = _varint(body, at)
        if at < 0 or tag >> 3 == 0:
            return False
        at = _after_field(body, tag & 7, at)
        fields += 1
    return at == len(body) and fields > 0


def _after_field(body: bytes, kind: int, at: int) -> int:
    if kind == _VARINT:
        return _varint(body, at)[1]
    if kind == _BYTES:
        size, at = _varint(body, at)
        return -1 if at < 0 else at + size
    return at + {_FIXED64: 8, _FIXED32: 4}.get(kind, len(body) + 1)


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; a negative end if there is none."""
    number = 0
    if at < 0:
        return 0, -1
    for shift, byte in enumerate(body[at : at + _MOST_VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return number, at + shift + 1
    return 0, -1
