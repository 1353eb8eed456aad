"""Avro and Protobuf without a registry: a file holds the schema of all messages."""

import json

import pytest

from schemas import OtherFormat
from stream.errors import ConfigError
from stream.schema_registry import incoming_reader
from stream.settings import IncomingSettings

REVIEW = {
    "type": "record",
    "name": "Review",
    "fields": [{"name": "id", "type": "long"}, {"name": "text", "type": "string"}],
}
PROTO = """
syntax = "proto3";
package shop;
import "parts/author.proto";
message Other { int32 x = 1; }
message Review { string review_id = 1; string text = 2; Author author = 3; }
"""
AUTHOR = 'syntax = "proto3"; package shop; message Author { string name = 1; }'
EXACT = b'{"review_id": "r9", "text": "ok"}'


def avro(tmp_path):
    (tmp_path / "review.avsc").write_text(json.dumps(REVIEW))
    return incoming_reader(IncomingSettings(schema_file=tmp_path / "review.avsc"))


def proto(tmp_path, **settings):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "author.proto").write_text(AUTHOR)
    (tmp_path / "review.proto").write_text(PROTO)
    return incoming_reader(IncomingSettings(schema_file=tmp_path / "review.proto", **settings))


def test_avro_is_read_by_the_schema_in_the_file(tmp_path):
    review, _ = avro(tmp_path).read(b"\x54\x04ok")
    assert (review.review_id, review.text) == ("42", "ok")


def test_a_body_that_begins_with_a_nought_is_one_as_well(tmp_path):
    review, _ = avro(tmp_path).read(b"\x00\x0eok, {}!")
    assert (review.review_id, review.text) == ("0", "ok, {}!")


def test_protobuf_is_read_as_the_named_type(tmp_path):
    reader = proto(tmp_path, message_type="shop.Review", metadata_fields="author.name")
    review, _ = reader.read(b"\x0a\x02r1\x12\x02ok\x1a\x03\x0a\x01q")
    assert (review.review_id, review.metadata) == ("r1", {"author.name": "q"})


def test_or_as_the_first_type_of_the_file(tmp_path):
    reader = proto(tmp_path, text_field="x", id_field="x")
    assert reader.read(b"\x08\x07")[0].review_id == "7"


def test_json_is_read_all_the_same(tmp_path):
    for value in (EXACT, b" " + EXACT, b"\xef\xbb\xbf" + EXACT):
        assert avro(tmp_path).read(value)[0].review_id == "r9"
    assert avro(tmp_path).read(b"null") == (None, False)


def test_bytes_that_are_not_of_the_schema_are_refused(tmp_path):
    with pytest.raises(OtherFormat, match="not Avro of its schema"):
        avro(tmp_path).read(b"\x54\x40ok")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("review.avsc", "{", "not one of Avro"),
        ("review.proto", "message {", "does not compile"),
        ("review.proto", "", "no message type"),
        ("review.proto", 'syntax = "proto3"; message A { int32 x = 1; }', "no message type shop.B"),
    ],
)
def test_a_file_that_is_no_schema_is_an_error_that_names_it(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    kind = "shop.B" if said.endswith("shop.B") else ""
    with pytest.raises(ConfigError, match=said) as refused:
        incoming_reader(IncomingSettings(schema_file=tmp_path / name, message_type=kind))
    assert name in refused.value.message


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.avsc"):
        incoming_reader(IncomingSettings(schema_file=tmp_path / "absent.avsc"))


def test_what_lies_beside_a_file_and_is_not_imported_is_left_alone(tmp_path):
    (tmp_path / "other.proto").write_bytes(b"\xff\xff")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "sub.proto").symlink_to(tmp_path / "nowhere")
    (tmp_path / "deep\nname.proto").write_text("message {")
    (tmp_path / "review.proto").write_text('syntax = "proto3"; message R { string id = 1; }')
    reader = incoming_reader(
        IncomingSettings(schema_file=tmp_path / "review.proto", text_field="id")
    )
    assert reader.read(b"\x0a\x02r1")[0].review_id == "r1"


def test_what_an_imported_file_imports_is_read_as_well(tmp_path):
    (tmp_path / "b.proto").write_text('syntax = "proto3"; import public "c.proto";')
    (tmp_path / "c.proto").write_text('syntax = "proto3"; message C { string text = 1; }')
    (tmp_path / "a.proto").write_text(
        "syntax = 'proto3';\nimport 'b.proto'; message A { string id = 1; C c = 2; }"
    )
    reader = incoming_reader(
        IncomingSettings(schema_file=tmp_path / "a.proto", text_field="c.text")
    )
    review, _ = reader.read(b"\x0a\x02r1\x12\x04\x0a\x02ok")
    assert (review.review_id, review.text) == ("r1", "ok")


def test_a_device_is_no_schema():
    with pytest.raises(ConfigError, match="no regular file"):
        incoming_reader(IncomingSettings(schema_file="/dev/zero"))


def test_nor_is_a_file_without_end(tmp_path):
    with (tmp_path / "huge.avsc").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(ConfigError, match="too large"):
        incoming_reader(IncomingSettings(schema_file=tmp_path / "huge.avsc"))
