"""Protobuf: the message type that the indexes name is read, and bad bytes are refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import OtherFormat
from stream.schema_registry.errors import UnusableSchema
from stream.schema_registry.protobuf import protobuf_reader

AUTHOR = 'syntax = "proto3"; package shop; message Author { string name = 1; }'
REVIEWS = """
syntax = "proto3";
package shop;
import "parts/author.proto";
import "google/protobuf/timestamp.proto";
message Other { int32 x = 1; message Inner { int64 id = 1; } }
message Review {
  string review_id = 1;
  string text = 2;
  Author author = 3;
  google.protobuf.Timestamp created_at = 4;
}
"""
REVIEW = b"\x0a\x02r1\x12\x02ok\x1a\x03\x0a\x01q\x22\x02\x08\x01"


@pytest.fixture(scope="module")
def read():
    return protobuf_reader(REVIEWS, {"parts/author.proto": AUTHOR})


def test_a_message_is_an_object_with_the_names_of_its_fields(read):
    assert read(b"\x02\x02" + REVIEW) == {
        "review_id": "r1",
        "text": "ok",
        "author": {"name": "q"},
        "created_at": "1970-01-01T00:00:01Z",
    }


def test_a_single_nought_names_the_first_type(read):
    assert read(b"\x00\x08\x05") == {"x": 5}


def test_several_indexes_lead_into_a_type(read):
    assert read(b"\x04\x00\x00\x08\x05") == {"id": "5"}


def test_a_field_that_was_not_sent_is_absent(read):
    assert read(b"\x04\x00\x00") == {}


@pytest.mark.parametrize(
    "body", [b"", b"\x02", b"\x02\x08", b"\x04\x00\x07", b"\x01", b"\x02\x02\xff"]
)
def test_bytes_that_are_not_of_the_schema_are_refused(read, body):
    with pytest.raises(OtherFormat, match="not Protobuf of its schema"):
        read(body)


@given(body=st.binary(max_size=40))
def test_whatever_the_bytes_are_they_are_read_or_refused(read, body):
    with contextlib.suppress(OtherFormat):
        read(body)


@pytest.mark.parametrize(
    ("text", "parts", "said"),
    [
        ("message {", {}, "does not compile"),
        ('syntax = "proto3"; import "absent.proto";', {}, "does not compile"),
        (REVIEWS, {"../author.proto": AUTHOR}, "names no file"),
        (REVIEWS, {"/tmp/author.proto": AUTHOR}, "names no file"),
    ],
)
def test_what_does_not_compile_is_not_used(text, parts, said):
    with pytest.raises(UnusableSchema, match=said):
        protobuf_reader(text, parts)
