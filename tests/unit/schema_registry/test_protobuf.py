"""Protobuf: the message type that the indexes name is read, and bad bytes are refused."""

import contextlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import OtherFormat
from stream.schema_registry import RegistryUnavailable, protobuf_compiler
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
ENDS_THE_COMPILER = (
    'syntax = "proto3"; import "google/protobuf/descriptor.proto"; message O { O o = 1; } '
    "extend google.protobuf.MessageOptions { O o = 50000; } "
    f"message R {{ option (o) = {{ {'o {' * 5_000}{'}' * 5_000} }}; }}"
)
TOO_MANY_FIELDS = (
    'syntax = "proto3"; message R {'
    + "".join(f"string f{number} = {number};" for number in range(20_000, 30_000))
    + "}"
)
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


def message(number, body):
    return bytes([number << 3 | 2, len(body)]) + body


YEAR_3_MILLION = b"\x08\x80\x80\xe9\x83\xb1\xde\x16"
NO_NUMBER = b"\x11" + b"\xff" * 8
UNKNOWN = message(1, b"type.googleapis.com/x.Unknown") + message(2, b"\x08\x01")


@pytest.fixture(scope="module")
def read_well_known():
    return protobuf_reader(
        """
        syntax = "proto3";
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/any.proto";
        import "google/protobuf/field_mask.proto";
        message Review {
          string text = 1;
          google.protobuf.Timestamp at = 2;
          google.protobuf.Value extra = 3;
          google.protobuf.Any more = 4;
          google.protobuf.FieldMask mask = 5;
          Review answered = 6;
          repeated google.protobuf.Timestamp seen = 7;
          map<bool, Review> by = 8;
          map<int32, string> names = 9;
        }
        """,
        {},
    )


@pytest.mark.parametrize(
    ("body", "as_it_is"),
    [
        (message(2, YEAR_3_MILLION), {"at": "seconds: 100000000000000"}),
        (message(3, NO_NUMBER), {"extra": "number_value: nan"}),
        (
            message(4, UNKNOWN),
            {"more": r'type_url: "type.googleapis.com/x.Unknown" value: "\010\001"'},
        ),
        (message(5, message(1, b"A__B")), {"mask": 'paths: "A__B"'}),
        (
            message(6, message(2, YEAR_3_MILLION)),
            {"answered": {"at": "seconds: 100000000000000"}},
        ),
        (
            message(7, b"\x08\x01") + message(7, YEAR_3_MILLION),
            {"seen": ["1970-01-01T00:00:01Z", "seconds: 100000000000000"]},
        ),
        (
            message(8, b"\x08\x01" + message(2, message(2, YEAR_3_MILLION)))
            + message(9, b"\x08\x05" + message(2, b"q")),
            {"by": {"true": {"at": "seconds: 100000000000000"}}, "names": {"5": "q"}},
        ),
    ],
)
def test_what_json_cannot_hold_costs_no_review_and_stays_as_a_text(read_well_known, body, as_it_is):
    assert read_well_known(b"\0" + message(1, b"ok") + body) == {"text": "ok", **as_it_is}


def test_what_any_holds_is_read_if_the_schema_knows_it():
    read = protobuf_reader(
        """
        syntax = "proto3";
        import "google/protobuf/any.proto";
        message Review { google.protobuf.Any more = 1; message Shop { string name = 1; } }
        """,
        {},
    )
    held = message(1, message(1, b"x.org/Review.Shop") + message(2, message(1, b"q")))
    assert read(b"\0" + held) == {"more": {"@type": "x.org/Review.Shop", "name": "q"}}


def test_schemas_of_connect_and_of_google_need_not_refer_to_what_everybody_has():
    read = protobuf_reader(
        """
        syntax = "proto3";
        import "confluent/meta.proto";
        import "confluent/type/decimal.proto";
        import "google/type/date.proto";
        import "google/api/field_behavior.proto";
        message Review {
          string review_id = 4 [(google.api.field_behavior) = REQUIRED];
          string text = 1 [(confluent.field_meta) = {params: [{key: "connect.type", value: "x"}]}];
          confluent.type.Decimal price = 2;
          google.type.Date bought = 3;
        }
        """,
        {},
    )
    assert read(b"\0" + message(1, b"ok") + message(3, b"\x08\x07")) == {
        "text": "ok",
        "bought": {"year": 7},
    }


@given(body=st.binary(max_size=40))
def test_whatever_the_bytes_are_they_are_read_or_refused(read, body):
    with contextlib.suppress(OtherFormat):
        read(body)


@pytest.mark.parametrize(
    ("text", "parts", "said"),
    [
        ("message {", {}, "does not compile as Protobuf: registered-schema.proto:1:9"),
        ('syntax = "proto3"; import "absent.proto";', {}, "does not compile.*absent.proto"),
        ('edition = "2099";', {}, "does not compile"),
        ("message R { // \ud800", {}, "does not compile"),
        (ENDS_THE_COMPILER, {}, "does not compile"),
        (TOO_MANY_FIELDS, {}, "cannot be used"),
        (REVIEWS, {"../author.proto": AUTHOR}, "names no file"),
        (REVIEWS, {"/tmp/author.proto": AUTHOR}, "names no file"),
        (REVIEWS, {"": AUTHOR}, "names no file"),
        (REVIEWS, {".": AUTHOR}, "names no file"),
        (REVIEWS, {"\ud800.proto": AUTHOR}, "names no file"),
        (REVIEWS, {"a" * 300: AUTHOR}, "names no file"),
        (REVIEWS, {"a/" * 1_001 + "b": AUTHOR}, "names no file"),
        (REVIEWS, {"parts": AUTHOR, "parts/author.proto": AUTHOR}, "names no file"),
    ],
)
def test_what_does_not_compile_is_not_used(text, parts, said):
    with pytest.raises(UnusableSchema, match=said):
        protobuf_reader(text, parts)


def test_a_file_of_a_schema_is_not_taken_for_a_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("grpc_tools").mkdir()
    tmp_path.joinpath("grpc_tools", "__init__.py").write_text("raise SystemExit(1)")
    assert protobuf_reader(AUTHOR, {})(b"\0\x0a\x01q") == {"name": "q"}


def test_a_compiler_that_cannot_run_says_nothing_about_the_schema(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(RegistryUnavailable, match="cannot run here"):
        protobuf_reader(AUTHOR, {})


def test_a_schema_that_takes_the_compiler_too_long_is_not_used(monkeypatch):
    monkeypatch.setattr(protobuf_compiler, "_SECONDS", 0.001)
    with pytest.raises(UnusableSchema, match="within"):
        protobuf_reader(AUTHOR, {})


def test_a_compiler_that_is_not_installed_says_nothing_about_the_schema(monkeypatch):
    monkeypatch.setattr(protobuf_compiler, "find_spec", lambda _: None)
    with pytest.raises(RegistryUnavailable, match="not installed") as raised:
        protobuf_reader(AUTHOR, {})
    assert "[protobuf]" in raised.value.remedy


def test_files_may_lie_deep():
    name = "/".join(["a" * 100] * 5)
    text = f'syntax = "proto3"; import "{name}"; message R {{ shop.Author by = 1; }}'
    assert protobuf_reader(text, {name: AUTHOR})(b"\0\x0a\x03\x0a\x01q") == {"by": {"name": "q"}}
