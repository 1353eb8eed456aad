"""Avro: what its schema says is read as JSON would have it, and no bytes harm the process."""

import contextlib
import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import OtherFormat
from stream.schema_registry.avro import avro_reader
from stream.schema_registry.errors import UnusableSchema
from tests.support.wire_format import avro_body

REVIEW = {
    "type": "record",
    "name": "Review",
    "fields": [
        {"name": "review_id", "type": "string"},
        {"name": "text", "type": ["null", "string"]},
        {"name": "stars", "type": "int"},
    ],
}
LIST = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
DEEP = b"\x02" * 200_000 + b"\0"


def reader(schema, **parts):
    return avro_reader(json.dumps(schema), {name: json.dumps(part) for name, part in parts.items()})


def test_a_record_is_an_object():
    value = {"review_id": "r1", "text": "хорошо", "stars": 5}
    assert reader(REVIEW)(avro_body(REVIEW, value)) == value


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            datetime(2026, 11, 27, 10, tzinfo=UTC),
            "2026-11-27T10:00:00+00:00",
        ),
        ({"type": "int", "logicalType": "date"}, date(2026, 11, 27), "2026-11-27"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            Decimal("12.50"),
            "12.50",
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 0},
            Decimal(10**40 + 1),
            str(10**40 + 1),
        ),
        ({"type": "string", "logicalType": "uuid"}, UUID(int=7), str(UUID(int=7))),
        ("bytes", "хорошо".encode(), "хорошо"),
        ("bytes", b"\xff\xfe", "//4="),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
        ({"type": "map", "values": "int"}, {"a": 1}, {"a": 1}),
        ({"type": "array", "items": "string"}, ["a", "b"], ["a", "b"]),
    ],
)
def test_each_type_is_what_json_would_have(kind, value, read):
    assert reader(kind)(avro_body(kind, value)) == read


@pytest.mark.parametrize(
    ("kind", "base", "value", "read"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, "long", 2**60, 2**60),
        ({"type": "long", "logicalType": "timestamp-micros"}, "long", -(2**63), -(2**63)),
        ({"type": "int", "logicalType": "date"}, "int", 2**31 - 1, 2**31 - 1),
        ({"type": "string", "logicalType": "uuid"}, "string", "r1", "r1"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
            "bytes",
            (1_234_567).to_bytes(3, "big"),
            "12345.67",
        ),
        ({"type": "bytes", "logicalType": "decimal"}, "bytes", b"\x07", "7"),
        ({"type": "bytes", "logicalType": "decimal", "scale": "2"}, "bytes", b"7", "7"),
        (
            {"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"},
            {"type": "fixed", "name": "F", "size": 16},
            UUID(int=7).bytes,
            str(UUID(int=7)),
        ),
    ],
)
def test_what_a_logical_type_cannot_say_costs_no_review(kind, base, value, read):
    assert reader(kind)(avro_body(base, value)) == read


def test_a_number_of_debezium_without_a_scale_of_its_own_is_a_number():
    number = {
        "type": "record",
        "name": "VariableScaleDecimal",
        "namespace": "io.debezium.data",
        "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    }
    fields = [
        {"name": "id", "type": number},
        {"name": "price", "type": ["null", "io.debezium.data.VariableScaleDecimal"]},
    ]
    row = {"type": "record", "name": "Value", "fields": fields}
    value = {"id": {"scale": 0, "value": b"\x01\x00"}, "price": {"scale": 2, "value": b"\x7f"}}
    assert reader(row)(avro_body(row, value)) == {"id": "256", "price": "1.27"}


def test_a_decimal_that_is_long_without_need_is_read_at_once():
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 9}
    body, began = avro_body("bytes", b"\x7f" * 250_000), time.perf_counter()
    reader(kind)(body)
    assert time.perf_counter() - began < 1


AUTHOR = {"type": "record", "name": "x.Author", "fields": [{"name": "name", "type": "string"}]}


@pytest.mark.parametrize(
    ("schema", "body", "read"),
    [
        ("x.Author", b"\x02q", {"name": "q"}),
        (["null", "x.Author"], b"\x02\x02q", {"name": "q"}),
        ({"type": "array", "items": "x.Author"}, b"\x02\x02q\0", [{"name": "q"}]),
    ],
)
def test_names_of_other_schemas_are_known_wherever_they_stand(schema, body, read):
    assert reader(schema, **{"x.Author": AUTHOR})(body) == read


def test_a_union_of_thousands_is_read_at_once():
    kinds = [{"type": "record", "name": f"R{number}", "fields": []} for number in range(6_000)]
    read, began = reader(kinds), time.perf_counter()
    assert read(b"\x04") == {}
    assert time.perf_counter() - began < 0.5


def test_a_default_that_is_wrong_says_nothing_to_a_reader():
    field = {"name": "stars", "type": "int", "default": "none"}
    assert reader({"type": "record", "name": "R", "fields": [field]})(b"\x0a") == {"stars": 5}


def test_names_of_other_schemas_are_known():
    author = {"type": "record", "name": "x.Author", "fields": [{"name": "name", "type": "string"}]}
    book = {"type": "record", "name": "x.Book", "fields": [{"name": "by", "type": "x.Author"}]}
    assert reader(book, **{"x.Author": author})(b"\x02q") == {"by": {"name": "q"}}


@pytest.mark.parametrize("body", [b"", b"\x04r1", b"\xff" * 20, b"\x80\x80\x80\x80\x80\x80\x40x"])
def test_bytes_that_are_not_of_the_schema_are_refused(body):
    with pytest.raises(OtherFormat, match="not Avro of its schema"):
        reader(REVIEW)(body)


def test_bytes_after_the_value_are_refused():
    body = avro_body(REVIEW, {"review_id": "r1", "text": None, "stars": 5})
    with pytest.raises(OtherFormat, match="3 bytes are left over"):
        reader(REVIEW)(body + b"abc")


@given(st.binary(max_size=60))
def test_whatever_the_bytes_are_they_are_read_or_refused(body):
    read = reader({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": ["null", "string", "double", {"type": "array", "items": "long"}]},
        {"name": "b", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4}},
        {"name": "c", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "d", "type": {"type": "enum", "name": "E", "symbols": ["A"]}},
    ]})  # fmt: skip
    with contextlib.suppress(OtherFormat):
        json.dumps(read(body))


def test_a_schema_that_holds_itself_is_read():
    assert reader(LIST)(b"\x02\x00") == {"next": {"next": None}}


def test_a_message_that_is_nested_without_end_is_refused():
    with pytest.raises(OtherFormat, match="nested too deep"):
        reader(LIST)(DEEP)


def test_the_compiled_reader_still_ends_the_process_at_such_a_message():
    """If it does no more, the one in Python, which is slower, is not needed."""
    code = (
        f"import fastavro, io; s = fastavro.parse_schema({LIST!r})\n"
        "try: fastavro.schemaless_reader(io.BytesIO(b'\\x02' * 200_000 + b'\\0'), s, None)\n"
        "except RecursionError: pass"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0


def nulls(count):
    return [{"name": f"n{number}", "type": "null"} for number in range(count)]


def doubled(times):
    """Return a record of two records of two records, and so on, of nothing."""
    kind = {"type": "record", "name": "R0", "fields": []}
    for number in range(1, times):
        fields = [{"name": "a", "type": kind}, {"name": "b", "type": f"R{number - 1}"}]
        kind = {"type": "record", "name": f"R{number}", "fields": fields}
    return kind


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": "null"},
        {
            "type": "record",
            "name": "null",
            "fields": [{"name": "many", "type": {"type": "array", "items": "null"}}],
        },
        {"type": "array", "items": {"type": "record", "name": "E", "fields": []}},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        {
            "type": "record",
            "name": "R",
            "fields": [
                {"name": "one", "type": {"type": "record", "name": "E", "fields": []}},
                {"name": "many", "type": {"type": "array", "items": "E"}},
            ],
        },
        {
            "type": "map",
            "values": {"type": "record", "name": "R", "fields": nulls(20)},
        },
        {
            "type": "array",
            "items": ["null", {"type": "record", "name": "R", "fields": nulls(20)}],
        },
        doubled(40),
    ],
)
def test_a_schema_of_much_that_takes_no_bytes_is_not_used(schema):
    with pytest.raises(UnusableSchema, match="billions"):
        reader(schema)


def test_fields_that_may_be_null_are_much_of_nothing_in_no_list():
    fields = [{"name": f"f{number}", "type": ["null", "int"]} for number in range(50)]
    row = {"type": "record", "name": "R", "fields": fields}
    assert reader({"type": "array", "items": row})(b"\0") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"type": "unheard-of"}',
        "[]x",
        "null",
        "7",
        '{"type": "record"}',
        '{"type": "fixed", "name": "F", "size": "many"}',
        '{"type": "fixed", "name": "F", "size": 1e999}',
        '{"type": "array", "items": ' * 900 + '"int"' + "}" * 900,
        '{"__fastavro_parsed__": true, "type": "array"}',
    ],
)
def test_what_is_no_schema_is_not_used(text):
    with pytest.raises(UnusableSchema, match="not one of Avro"):
        avro_reader(text, {})
