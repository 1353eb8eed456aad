"""What may stand on the incoming topic: whatever has words and a name becomes an exact review."""

import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    MAX_EVENT_BYTES,
    ContractError,
    IncomingReader,
    NotJson,
    OtherFormat,
    Review,
    TooLarge,
    UnknownSchemaVersion,
    WrongShape,
    decode,
    encode,
)

READER = IncomingReader()
TEXT = "Полотенце хорошо впитывает, не линяет"
EXACT = Review(review_id="r1", text=TEXT)


def message(**fields):
    return json.dumps({"review_id": "r1", "text": TEXT} | fields, ensure_ascii=False).encode()


def read(value, key=None, **options):
    """Return the review; it is one that the strict side takes."""
    review, _ = IncomingReader(**options).read(value, key)
    assert decode(Review, encode(review)) == review
    return review


def test_an_exact_review_is_read_as_it_is():
    whole = Review(
        review_id="r1",
        text=TEXT,
        created_at=datetime(2026, 11, 27, tzinfo=UTC),
        metadata={"a": "b"},
    )
    assert READER.read(encode(whole), b"another key") == (whole, False)


@pytest.mark.parametrize(
    ("given_id", "review_id"),
    [
        (42, "42"),
        (42.0, "42"),
        (12345678901234567890, "12345678901234567890"),
        ({"$oid": "65f0"}, "65f0"),
        ({"$numberLong": "42"}, "42"),
    ],
)
def test_an_id_may_be_a_number(given_id, review_id):
    assert read(message(review_id=given_id)).review_id == review_id


@pytest.mark.parametrize("name", ["id", "Id", "ID", "_id", "reviewId", "REVIEW_ID", "review-id"])
def test_the_id_may_have_another_of_its_names(name):
    value = json.dumps({name: "r1", "Text": TEXT}).encode()
    assert read(value) == EXACT


def test_review_id_goes_before_id():
    assert read(b'{"id": 7, "review_id": 8, "text": "x"}').review_id == "8"


@pytest.mark.parametrize(
    ("key", "review_id"),
    [
        (b"r1", "r1"),
        (b'"r1"', "r1"),
        (b"42", "42"),
        ((42).to_bytes(8, "big"), "42"),
        ((42).to_bytes(4, "big"), "42"),
        (b'{"id": 42}', "42"),
        (b'{"sku": "r1"}', "r1"),
        (b'{"schema": {"type": "string"}, "payload": "r1"}', "r1"),
        (b'{"schema": null, "payload": {"review_id": 42}}', "42"),
        (b'\x00\x00\x00\x00\x07{"id": 42}', "42"),
    ],
)
@pytest.mark.parametrize("absent", [b'{"text": "x"}', b'{"review_id": null, "text": "x"}'])
def test_a_review_without_an_id_is_named_by_its_key(absent, key, review_id):
    assert read(absent, key).review_id == review_id


@pytest.mark.parametrize("key", [None, b"", b" ", b"\xff\xfe", b"\x01\x02", b"{}", b"null\n"])
def test_what_neither_names_is_refused(key):
    with pytest.raises(WrongShape, match=r"review_id.*the key names nothing"):
        READER.read(b'{"text": "x"}', key)


@pytest.mark.parametrize("nothing", ["null", "None", "NULL", "nan", "undefined"])
def test_a_word_for_nothing_names_no_review(nothing):
    """All reviews under it were versions of one: a program had written its word for an absent id."""
    assert read(message(review_id=nothing), b"42").review_id == "42"
    with pytest.raises(
        WrongShape, match=r"review_id.*a word for nothing, and the key names nothing"
    ):
        READER.read(message(review_id=nothing), nothing.encode())


def test_a_number_that_was_rounded_names_no_review():
    """1.2345678901234567e18 is what is left of a hundred ids; whole numbers keep all their digits."""
    with pytest.raises(WrongShape, match="a number that was rounded"):
        READER.read(b'{"id": 1.2345678901234567e18, "text": "x"}')
    assert read(b'{"id": 1234567890123456789, "text": "x"}').review_id == "1234567890123456789"


def test_metadata_becomes_text_and_null_is_absent():
    metadata = {"stars": 5, "price": 9.5, "photo": None, "ok": True, "tags": ["a", {"б": 1}]}
    assert read(message(metadata=metadata)).metadata == {
        "stars": "5",
        "price": "9.5",
        "ok": "true",
        "tags": '["a", {"б": 1}]',
    }
    assert read(message(metadata=None)).metadata == {}
    assert read(message(metadata="как есть")).metadata == {"metadata": "как есть"}


@pytest.mark.parametrize("version", ["1", 1.0, None, "v2", "3.1"])
def test_a_version_that_is_not_a_later_one_of_ours_is_no_fault(version):
    assert read(message(schema_version=version)) == EXACT


@pytest.mark.parametrize("version", [0, 2, "2", -1, 10**300])
def test_a_contract_that_is_not_known_is_refused(version):
    with pytest.raises(UnknownSchemaVersion):
        READER.read(message(schema_version=version))


@pytest.mark.parametrize("created", ["27.11.2026 10:15", "20261127101500", "27 ноября 2026, 10:15"])
def test_a_date_is_read_in_any_form(created):
    assert read(message(created_at=created)).created_at.isoformat() == "2026-11-27T10:15:00+00:00"


def test_a_date_without_a_zone_is_taken_for_utc():
    assert read(message(created_at="2026-11-27T10:15:00")).created_at.tzinfo == UTC


def test_a_date_that_cannot_be_read_is_kept_and_told():
    review, unread = READER.read(message(created_at="0000-00-00", metadata={"shop": 7}))
    assert unread
    assert review.created_at is None
    assert review.metadata == {"shop": "7", "created_at": "0000-00-00"}


@pytest.mark.parametrize("created", [None, "", " "])
def test_an_empty_date_is_none(created):
    assert READER.read(message(created_at=created)) == (EXACT, False)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_byte_order_mark_and_wide_characters(encoding):
    assert read(message().decode().encode(encoding)) == EXACT


@pytest.mark.parametrize(
    "cut",
    [
        b'{"review_id": "r1", "text": "\\u0431\\u043e\\u0442\\u044b \\ud83d"}',
        '{"review_id": "r1", "text": "боты '.encode() + b'\xf0\x9f\x98"}',
        '{"review_id": "r1", "text": "боты '.encode() + b'\xed\xa0\xbd"}',
    ],
    ids=["escaped", "bytes", "CESU-8"],
)
def test_half_an_emoji_is_replaced(cut):
    assert set(read(cut).text.removeprefix("боты ")) == {"\ufffd"}


def test_an_emoji_in_two_halves_is_whole():
    assert read(message(text="боты 😍").decode().encode("utf-8")).text == "боты 😍"
    halves = '{"review_id": "r1", "text": "\ud83d\ude0d"}'.encode("utf-8", "surrogatepass")
    assert read(halves).text == "😍"


@pytest.mark.parametrize("text", ["", " ", None, True, [], {}, "\ud83d", float("nan")])
def test_what_has_no_words_is_refused(text):
    with pytest.raises(WrongShape, match="text"):
        READER.read(json.dumps({"review_id": "r1", "text": text}).encode())


def test_words_in_pros_and_cons_are_words():
    both = read(message(text="", pros="Мягкое", cons="Линяет"))
    assert both.text == "Мягкое\nЛиняет"
    assert read(message(pros="Мягкое", id=1)) == EXACT, "a text goes before"


def test_a_text_of_several_lines_is_joined():
    assert read(message(text=["Мягкое", None, "Линяет"])).text == "Мягкое\nЛиняет"


def test_a_text_parted_where_its_marks_begin_and_end_is_one_text():
    """Of what Telegram exports the words in bold were lost, and the rest was published."""
    pieces = ["Утюг ", {"type": "bold", "text": "супер"}, ", беру"]
    assert read(message(text=pieces)).text == "Утюг супер, беру"
    assert read(message(text=[[1, 2], "Утюг"])).text == "1\n2\nУтюг"


def test_own_field_names_are_paths_and_several_texts_are_joined():
    value = json.dumps(
        {"id": "no", "review": {"sku.id": 7, "body": {"plus": "Мягкое", "minus": "Линяет"}}}
    ).encode()
    names = {"text_field": "review.body.plus, review.body.minus", "id_field": "review.sku.id"}
    with pytest.raises(WrongShape, match="review_id"):
        read(value, **names)
    names["id_field"] = "id"
    assert read(value, **names) == Review(review_id="no", text="Мягкое\nЛиняет")
    assert read(b'{"a.b": 1, "text": "x"}', text_field="text", id_field="a.b").review_id == "1"


def test_where_a_field_is_named_for_the_id_no_key_names_a_review():
    """A customer's key would make one review of all that the customer wrote: labels are kept by id."""
    value = b'{"ticket": {"body": "x"}}'
    named = {"text_field": "ticket.body", "id_field": "ticket.number"}
    with pytest.raises(WrongShape, match=r"none at ticket\.number, as REVIEWS_INCOMING__ID_FIELD"):
        IncomingReader(**named).read(value, b"customer-7")
    assert IncomingReader(**named).named(value, b"customer-7") is None
    assert IncomingReader(**named).named(b'{"ticket": {"number": 5}}', b"customer-7") == "5"


@pytest.mark.parametrize(
    "message",
    [
        {"before": {"id": 5, "text": "x"}, "after": None, "op": "d", "source": {}},
        {"schema": {}, "payload": {"before": {"id": 5}, "after": None, "op": "d"}},
        {"id": 5, "text": "x", "__deleted": "true"},
    ],
)
def test_what_a_delete_says_of_its_row_names_the_review(message):
    """It may hold the text that was deleted: an erasure has to find it."""
    value = json.dumps(message).encode()
    assert READER.named(value, b"customer-7") == "5"
    assert IncomingReader(id_field="id").named(value, b"customer-7") == "5"


def test_what_our_own_producer_sends_is_read_wherever_fields_of_others_are():
    sent = Review(review_id="r1", text="x")
    reader = IncomingReader(text_field="ticket.body", id_field="ticket.number")
    assert reader.read(encode(sent), b"r1") == (sent, False)
    assert reader.named(encode(sent), b"k") == "r1"
    dated = b'{"review_id": "r1", "text": "x", "created_at": "2026-11-27T10:15:00"}'
    assert reader.read(dated)[0].created_at == datetime(2026, 11, 27, 10, 15, tzinfo=UTC)


def test_a_named_field_that_is_absent_is_told_with_the_fields_that_are_there():
    with pytest.raises(WrongShape, match=r"none at ticket\.body, as .*TEXT_FIELD.* are event, id"):
        IncomingReader(text_field="ticket.body").read(b'{"event": "x", "id": 1}')


def test_a_named_field_that_is_null_is_not_called_absent():
    reader = IncomingReader(text_field="ticket.body", id_field="ticket.no")
    with pytest.raises(WrongShape, match="text: it holds no words"):
        reader.read(b'{"ticket": {"no": "1", "body": null}}', None)


def test_a_date_and_further_fields_are_taken_from_where_they_are_named():
    value = (
        b'{"id": 1, "text": "x", "at": {"ms": 1764234900000}, "customer": {"id": 7, "vip": null}}'
    )
    reader = IncomingReader(created_field="at.ms", metadata_fields="customer.id, customer.vip")
    review, unread = reader.read(value)
    assert (review.created_at, unread) == (datetime(2025, 11, 27, 9, 15, tzinfo=UTC), False)
    assert review.metadata == {"customer.id": "7"}


def test_a_path_goes_through_the_objects_of_a_list():
    value = b'{"id": 1, "thread": [{"body": "It broke"}, {"by": "us"}, 7, {"body": "Again"}]}'
    assert read(value, text_field="thread.body").text == "It broke\nAgain"
    with pytest.raises(WrongShape, match=r"thread\.by"):
        read(value, text_field="thread.body", id_field="thread.by")


def test_an_absent_text_is_told_with_the_fields_that_are_there_and_the_setting():
    with pytest.raises(WrongShape, match=r"review_id, comment.*REVIEWS_INCOMING__TEXT_FIELD"):
        READER.read(b'{"review_id": "1", "comment": "no text"}')
    with pytest.raises(WrongShape, match=r"object.*text\.body"):
        READER.read(b'{"review_id": "1", "text": {"body": "no text", "lang": "en"}}')


CONNECT = b'{"schema": {"type": "struct"}, "payload": %s}'
ROW = {"review_id": "r1", "text": TEXT}


def change(op, before=None, after=None, **more):
    return json.dumps({"before": before, "after": after, "op": op, "source": {}, **more}).encode()


ENVELOPES = {
    "connect": CONNECT % message(),
    "connect without schema": b'{"payload": %s}' % message(),
    "connect with a text": CONNECT % json.dumps(message().decode()).encode(),
    "debezium create": change("c", after=ROW),
    "debezium snapshot": change("r", after=ROW),
    "debezium update": change("u", ROW | {"text": "old"}, ROW),
    "debezium in connect": CONNECT % change("c", after=ROW),
    "debezium of MongoDB": change("c", after=json.dumps({"_id": {"$oid": "r1"}, "text": TEXT})),
    "debezium flattened": message(__deleted="false", __op="u"),
    "debezium upper case": change("c", after={"REVIEW_ID": "r1", "TEXT": TEXT}),
    "registry": b"\x00\x00\x00\x00\x07" + message(),
    "registry of eight bytes": b"\x00" * 8 + b"\x07" + message(),
    "registry of Glue": b"\x03\x00" + bytes(16) + message(),
    "registry and debezium": b"\x00\x00\x00\x00\x07" + change("c", after=ROW),
    "JSON in a text": json.dumps(message().decode()).encode(),
    "cloudevents": json.dumps({"specversion": "1.0", "id": "e1", "data": ROW}).encode(),
    "cloudevents of a text": json.dumps(
        {"specversion": "1.0", "data": message().decode()}
    ).encode(),
    "cloudevents of bytes": json.dumps(
        {"specversion": "1.0", "data_base64": base64.b64encode(message()).decode()}
    ).encode(),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_is_recognised(name):
    assert read(ENVELOPES[name]) == EXACT


@pytest.mark.parametrize("envelope", ["connect", "debezium", "registry", "cloudevents"])
def test_a_named_envelope_is_taken_off_and_need_not_be_there(envelope):
    for name, value in ENVELOPES.items():
        if name == envelope or (name.startswith(envelope) and "registry" not in name):
            assert read(value, envelope=envelope) == EXACT
    assert read(message(), envelope=envelope) == EXACT


@pytest.mark.parametrize("name", ["connect", "debezium create", "registry", "cloudevents"])
def test_nothing_is_taken_off_unless_it_is_wanted(name):
    with pytest.raises(ContractError):
        read(ENVELOPES[name], envelope="none")


def test_a_cloud_event_names_what_has_no_other_name():
    event = {"specversion": "1.0", "id": "e1", "subject": "s1", "data": {"text": TEXT}}
    assert read(json.dumps(event).encode()).review_id == "s1"


def test_a_review_with_a_payload_of_its_own_is_no_envelope():
    assert read(message(payload={"review_id": "r2", "text": "another"}, id=1)) == EXACT


@pytest.mark.parametrize("envelope", ["auto", "none", "debezium"])
@pytest.mark.parametrize("tombstone", [None, b"null"])
def test_a_tombstone_is_no_fault(tombstone, envelope):
    assert IncomingReader(envelope).read(tombstone, b"r1") == (None, False)


@pytest.mark.parametrize(
    "deletes",
    [
        change("d", before=ROW),
        CONNECT % change("d", before=ROW),
        change("t"),
        b'{"schema": null, "payload": null}',
        b'{"payload": null}',
        message(__deleted="true"),
        message(__deleted=True),
        b"\x00\x00\x00\x00\x07null",
        b"\x00\x00\x00\x00\x07" + change("d", before=ROW),
        # As Debezium's documents show them: of a whole table, and of the database's log.
        json.dumps({"source": {"table": "reviews"}, "op": "t", "ts_ms": 1}).encode(),
        json.dumps({"payload": {"source": {}, "op": "t", "ts_ms": 1}}).encode(),
        json.dumps({"source": {}, "op": "m", "message": {"content": "aGk="}}).encode(),
    ],
)
def test_a_delete_is_no_fault(deletes):
    assert READER.read(deletes, b"r1") == (None, False)


def of_maxwell(kind, **data):
    return {"database": "shop", "table": "reviews", "type": kind, "ts": 1790000000, "data": data}


def of_canal(kind, *rows, **more):
    return {"id": 9, "isDdl": False, **of_maxwell(kind), "data": [*rows] or None, **more}


def of_dms(operation, kind="data", **more):
    return {"metadata": {"operation": operation, "record-type": kind}, **more}


def of_golden_gate(kind, **more):
    return {"table": "S.REVIEWS", "op_type": kind, "op_ts": "2026", **more}


@pytest.mark.parametrize(
    "change_of_another",
    [
        of_maxwell("insert", **ROW),
        of_maxwell("bootstrap-insert", **ROW),
        of_canal("UPDATE", ROW),
        of_dms("load", data=ROW),
        of_golden_gate("U", before={}, after=ROW),
        {"schema": {}, "payload": of_maxwell("update", **ROW)},
    ],
)
def test_the_row_of_another_tool_that_watches_a_database_is_the_review(change_of_another):
    assert read(json.dumps(change_of_another).encode()) == EXACT


@pytest.mark.parametrize(
    "gone",
    [
        of_maxwell("delete", **ROW),
        of_maxwell("bootstrap-start"),
        of_maxwell("table-alter"),
        of_canal("DELETE", ROW),
        of_canal("DELETE", ROW, ROW),
        of_canal("ALTER", isDdl=True),
        of_dms("delete", data=ROW),
        of_dms("create-table", "control"),
        of_golden_gate("D", before=ROW),
        of_golden_gate("T"),
    ],
)
@pytest.mark.parametrize("named", [{}, {"text_field": "data.text", "id_field": "data.id"}])
def test_a_row_that_another_tool_says_is_gone_is_no_review(gone, named):
    """With its fields named by paths, as was advised, a deleted review was classified and published."""
    assert IncomingReader(**named).read(json.dumps(gone).encode(), b"r1") == (None, False)


def test_what_another_tool_deletes_is_named_for_an_erasure():
    for gone in (of_maxwell("delete", **ROW), of_canal("DELETE", ROW), of_dms("delete", data=ROW)):
        assert READER.named(json.dumps(gone).encode(), b"k") == "r1"
    assert READER.named(json.dumps(of_canal("DELETE", ROW, ROW)).encode(), b"k") == "k"


@pytest.mark.parametrize("named", [{}, {"text_field": "data.text"}])
def test_several_rows_in_one_message_are_refused_and_not_joined(named):
    two = json.dumps(of_canal("INSERT", ROW, {"review_id": "r2", "text": "x"})).encode()
    with pytest.raises(WrongShape, match="2 rows of a table: one review a message"):
        IncomingReader(**named).read(two)


def test_the_number_of_a_canal_message_names_no_review():
    one = json.dumps(of_canal("INSERT", ROW)).encode()
    with pytest.raises(WrongShape, match="review_id: there is none"):
        IncomingReader(text_field="data.text").read(one)


@pytest.mark.parametrize(
    "body",
    [
        {"ts_ms": 1790000000000},
        {"status": "BEGIN", "id": "571:1", "event_count": None, "data_collections": None},
        {"status": "END", "id": "571:1", "event_count": 2, "data_collections": [], "ts_ms": 1},
        {
            "source": {},
            "databaseName": "shop",
            "ddl": "ALTER TABLE reviews ...",
            "tableChanges": [],
        },
    ],
)
def test_what_debezium_says_of_itself_is_no_fault(body):
    for value in (body, {"schema": {}, "payload": body}):
        assert READER.read(json.dumps(value).encode(), b"k") == (None, False)
    with pytest.raises(WrongShape):
        IncomingReader("none").read(json.dumps(body).encode())


def test_a_long_text_that_debezium_did_not_send_is_that_of_before_or_told():
    unsent = ROW | {"text": "__debezium_unavailable_value"}
    assert read(change("u", ROW, unsent)) == EXACT
    for value in (change("u", None, unsent), message(**unsent)):
        with pytest.raises(WrongShape, match="REPLICA IDENTITY FULL"):
            READER.read(value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\x00\x00\x00\x00\x08\x04w2\x96\x01" + TEXT.encode(), "Avro.* schema id 8"),
        (b"\x00\x00\x00\x00\x09\x00\x0a\x02w3", "Protobuf.* schema id 9"),
        (b"\x00\x00\x00\x00\x09\x02\x00\x0a\x02w3\x10\x05\x1d1234", "Protobuf.* schema id 9"),
        (b"\x03\x00" + bytes(range(16)) + b"\x04w2", "00010203-0405-0607.*Glue"),
        (b"Obj\x01\x04", "an Avro file"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xac\xed\x00\x05t", "Java"),
        (b"\x82\xa2id\x01", "MessagePack"),
        (b"\xa2bid\x01dtextax", "CBOR"),
        (b"\x78\x9c\xab\x56", "zlib"),
        (b"\x04\x22\x4d\x18{", "lz4"),
    ],
)
def test_another_format_says_what_it_is(value, says):
    with pytest.raises(OtherFormat, match=says):
        READER.read(value, b"r1")


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (b"", NotJson, "not JSON: it is empty"),
        (b"not json", NotJson, "not JSON at all: a review is an object"),
        (b"\x04r1\x06abc", NotJson, "not JSON at all.*REVIEWS_INCOMING__SCHEMA_FILE"),
        (message(n=0)[:-2] + b"9" * 5_000 + b"}", NotJson, "more than 4,300 digits"),
        (b"\x00", NotJson, "not JSON"),
        (message().decode().encode("cp1251"), NotJson, "not UTF-8"),
        (b"[" * 100_000, NotJson, "deep"),
        (b'{"id":' * 30_000, NotJson, "not JSON"),
        (b"[1, 2]", WrongShape, "a list of 2: one review a message"),
        (b"5", WrongShape, "a number"),
        (b'"words"', WrongShape, "a text"),
        (b'{"op": "c", "after": null}', WrongShape, "after"),
        (b'{"specversion": "1.0", "data_base64": "!"}', WrongShape, "data_base64"),
        (b'{"payload": ' * 9 + b"{}" + b"}" * 9, WrongShape, "envelopes"),
        (message(review_id="x" * 201), WrongShape, "review_id"),
        (b'"' + b"x" * MAX_EVENT_BYTES + b'"', TooLarge, "at most"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(value, error, says):
    with pytest.raises(error, match=says):
        READER.read(value)


def test_a_schema_that_a_header_names_is_said_to_be_there():
    named = [("__value_schema_id", b"\x01" + bytes(16))]
    with pytest.raises(OtherFormat, match=r"__value_schema_id.*PrefixSchemaIdSerializer"):
        READER.read(b"\x04r1\x06abc", None, named)
    assert READER.read(message(), None, named) == (EXACT, False)


_NAMES = (
    "id review_id text payload schema before after op data specversion metadata created_at "
    "__deleted pros $date $oid database table type op_type op_ts ts_ms status event_count"
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES.split()),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=200), _JSON.map(lambda body: json.dumps(body).encode())))
def test_no_bytes_make_reading_raise_anything_but_a_contract_error(value):
    for envelope in ("auto", "none", "connect", "debezium", "registry", "cloudevents"):
        try:
            review, _ = IncomingReader(envelope).read(value, value)
        except ContractError as error:
            assert error.code  # noqa: PT017 - both outcomes are fine, others are not
        else:
            assert review is None or decode(Review, encode(review)) == review


def test_headers_that_are_named_come_back_in_the_metadata():
    reader = IncomingReader(metadata_headers="tenant, Trace-Id, absent")
    headers = [
        ("tenant", b"a"),
        ("tenant", "б".encode()),
        ("Trace-Id", b"\xff1"),
        ("absent", None),
        ("other", b"x"),
    ]
    review, _ = reader.read(message(), None, headers)
    assert review.metadata == {"tenant": "б", "Trace-Id": "\ufffd1"}
    assert decode(Review, encode(review)) == review


def test_the_messages_own_metadata_wins_over_a_header_of_the_same_name():
    reader = IncomingReader(metadata_headers="tenant")
    review, _ = reader.read(
        message(metadata={"tenant": "own", "more": "1"}), None, [("tenant", b"h")]
    )
    assert review.metadata == {"tenant": "own", "more": "1"}


def test_without_names_no_header_is_kept():
    assert READER.read(message(), None, [("tenant", b"a")])[0].metadata == {}


LONG = "длинно " * 3_000


def test_a_text_that_is_too_long_is_refused_with_the_setting_that_would_cut_it():
    with pytest.raises(WrongShape, match=r"not 21,000; REVIEWS_INCOMING__LONG_TEXTS=cut"):
        READER.read(message(text=LONG))


@pytest.mark.parametrize("fields", [{}, {"text_field": "text"}])
def test_or_it_is_cut_and_says_how_long_it_was(fields):
    review = read(message(text=LONG, metadata={"a": "b"}), long_texts="cut", **fields)
    assert review.text == LONG[:20_000]
    assert review.metadata == {"a": "b", "text_characters": "21000"}


def test_a_text_that_is_not_too_long_is_left_as_it_is():
    review = read(message(text=LONG[:20_000]), long_texts="cut")
    assert (review.text, review.metadata) == (LONG[:20_000], {})


@pytest.mark.parametrize(
    "fields",
    [
        {"table": "t", "op_type": ["I"], "op_ts": 1, "after": {"id": 1, "text": "Утюг"}},
        {"metadata": {"operation": {}, "record-type": "data"}, "data": {"id": 1, "text": "Утюг"}},
        {"status": ["BEGIN"], "id": 1, "event_count": 2},
        {"status": {}, "id": 1, "event_count": 2, "text": "Утюг"},
    ],
)
def test_a_list_where_a_tool_writes_a_word_ends_no_worker(fields):
    with contextlib.suppress(ContractError):
        IncomingReader().read(json.dumps(fields).encode(), None)


@pytest.mark.parametrize(
    "fields",
    [
        {"database": "a", "table": "b", "type": "review", "data": {}, "id": 7, "text": "Утюг"},
        {"table": "a", "op_type": "review", "op_ts": 1, "id": 7, "text": "Утюг"},
    ],
)
def test_a_message_of_ones_own_that_looks_like_a_row_s_change_is_not_dropped_as_one(fields):
    review, _ = IncomingReader().read(json.dumps(fields).encode(), None)
    assert (review.review_id, review.text) == ("7", "Утюг")
