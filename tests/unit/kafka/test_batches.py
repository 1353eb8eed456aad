"""Whatever a batch of records holds: it is read or told of, each offset once, in bounded memory."""

import hashlib
import struct

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.kafka.reading import Bounds, unreadable_in
from tests.support.record_batches import (
    CODECS,
    Fetches,
    batch,
    compressed,
    legacy,
    offsets_told,
    raw_batch,
    record_bytes,
    sealed,
)

SMALL = Bounds(piece_bytes=4096, batch_bytes=64 * 1024)
MESSAGES = [(b"k%d" % i, b"value %d" % i, [("h", b"1"), ("n", None)]) for i in range(5)]
MESSAGE = st.tuples(
    st.none() | st.binary(max_size=300),
    st.none() | st.binary(max_size=3000),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=20)), max_size=3),
)


def fields(record):
    return record.key, record.value, list(record.headers)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(messages=st.lists(MESSAGE, min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_what_was_written_is_what_is_read_whatever_the_codec_and_the_pieces(codec, messages):
    log = batch(messages, codec=codec)
    for bounds in (Bounds(), SMALL):
        records = Fetches(log, len(messages), bounds).read()
        assert [fields(record) for record in records] == messages
        assert [record.offset for record in records] == list(range(len(messages)))


@pytest.mark.parametrize("codec", list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_a_batch_above_a_piece_is_read_in_several_fetches(codec):
    messages = [(b"k", bytes([i]) * 1000, []) for i in range(30)]
    fetches = Fetches(batch(messages, codec=codec), 30, SMALL)
    assert [fields(record) for record in fetches.read()] == messages
    assert 5 <= fetches.fetches <= 10


@pytest.mark.parametrize("codec", list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_of_a_record_above_a_piece_size_digest_and_beginning_are_told(codec):
    large = b"ab" * 5000
    log = batch([(b"a", b"1", []), (b"b", large, [("h", b"x")]), (b"c", b"3", [])], codec=codec)
    first, told, last = Fetches(log, 3, SMALL).read()
    assert (first.value, last.value) == (b"1", b"3")
    stub = unreadable_in(told)
    assert (told.offset, told.key, told.value) == (1, b"b", b"")
    assert (stub.code, stub.value_bytes, stub.key_bytes) == ("too-large", 10_000, 1)
    assert stub.sha256 == hashlib.sha256(large).hexdigest()
    assert stub.head == large[:1024]


@pytest.mark.parametrize("codec", list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_of_a_batch_above_its_bound_the_rest_is_one_record_that_says_so(codec):
    messages = [(b"k", bytes([i]) * 2000, []) for i in range(60)]
    log = batch(messages, codec=codec) + batch([(b"next", b"n", [])], base=60)
    records = Fetches(log, 61, SMALL).read()
    assert offsets_told(records) == list(range(61))
    stub = unreadable_in(records[-2])
    assert stub.code == "too-large"
    assert 25 <= stub.first_offset <= 33
    assert stub.last_offset == 59
    assert records[-1].key == b"next"


def test_a_window_that_would_take_much_memory_is_refused():
    # 128 MiB of window in a frame of a few bytes, as `zstd --long=27` asks for.
    level = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=level).compressobj()
    data = packer.compress(record_bytes(0, b"k", b"v")) + packer.flush()
    plain = raw_batch(b"", 1, attributes=CODECS["zstd"])
    log = sealed(plain + data)
    (told,) = Fetches(log, 1).read()
    assert unreadable_in(told).code == "unreadable-batch"


def test_a_header_whose_name_is_no_utf_8_costs_no_record():
    # A broker does not look at headers; aiokafka's parser raises.
    records = record_bytes(0, b"a", b"1", [(b"\xff\xfe", b"x")]) + record_bytes(1, b"b", b"2")
    first, second = Fetches(raw_batch(records, 2), 2).read()
    assert (first.value, first.headers) == (b"1", (("\ufffd\ufffd", b"x"),))
    assert second.value == b"2"


WRONG = {
    "more records than there are": (record_bytes(0, b"a", b"1"), 3, {}),
    "no end of records": (record_bytes(0, b"a", b"1"), 2**31 - 1, {"last_offset_delta": 2}),
    "fewer than no records": (record_bytes(0, b"a", b"1"), -1, {"last_offset_delta": 2}),
    "fewer records than there are": (
        record_bytes(0, b"a", b"1") + record_bytes(1, b"b", b"2"),
        1,
        {"last_offset_delta": 2},
    ),
    "offsets that run away": (
        record_bytes(0, b"a", b"1") + record_bytes(2**40, b"b", b"2") + record_bytes(2, b"c", b"3"),
        3,
        {},
    ),
    "offsets that go back": (
        record_bytes(1, b"a", b"1") + record_bytes(0, b"b", b"2") + record_bytes(2, b"c", b"3"),
        3,
        {},
    ),
    "a number without end": (b"\xff" * 30, 3, {}),
    "a length below zero": (b"\x05" + bytes(20), 3, {}),
    "a key longer than all": (b"\x20\0\0\0\xfe\xff\xff\xff\x0f" + bytes(20), 3, {}),
    "more headers than bytes": (b"\x10\0\0\0\1\1\xfe\xff\xff\xff\x0f", 3, {}),
    "nothing": (b"", 3, {}),
}


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize(("records", "count", "changed"), WRONG.values(), ids=WRONG)
def test_a_batch_that_is_not_what_it_says_costs_its_own_records_only(
    records, count, changed, codec
):
    log = raw_batch(records, count, codec=codec, **({"last_offset_delta": 2} | changed))
    log += batch([(b"next", b"n", [])], base=3)
    read = Fetches(log, 4).read()
    told = offsets_told(read)
    assert told[-2:] == [2, 3]
    assert told == sorted(set(told))
    assert [r for r in read if unreadable_in(r)], "nobody says that something was left out"
    assert read[-1].key == b"next"


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_a_codec_that_nobody_knows_is_told_of(codec):
    (told,) = Fetches(raw_batch(b"x" * 20, 2, codec=codec), 2).read()
    assert f"there is no codec {codec}" in unreadable_in(told).message


@pytest.mark.parametrize("codec", list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_compressed_bytes_that_end_too_early_cost_the_records_behind_them(codec):
    messages = [(b"k", struct.pack(">I", i) * 400, []) for i in range(40)]
    whole = batch(messages, codec=codec)
    log = sealed(whole[:-20])
    records = Fetches(log, 40).read()
    assert offsets_told(records) == list(range(40))
    assert unreadable_in(records[-1]).code == "unreadable-batch"


def test_a_wrong_checksum_is_fetched_again_and_then_passed_over():
    damaged = bytearray(batch(MESSAGES))
    damaged[80] ^= 1
    fetches = Fetches(bytes(damaged) + batch(MESSAGES, base=5), 10)
    records = fetches.read()
    assert offsets_told(records) == list(range(10))
    stub = unreadable_in(records[0])
    assert (stub.first_offset, stub.last_offset) == (0, 4)
    assert "checksum" in stub.message
    assert stub.sha256 == hashlib.sha256(damaged).hexdigest()
    assert fetches.fetches == 4


def test_a_last_offset_that_nobody_vouches_for_is_not_believed():
    far = bytearray(batch(MESSAGES))
    struct.pack_into(">i", far, 23, 2**31 - 1)  # under a checksum that is wrong now
    records = Fetches(bytes(far) + batch(MESSAGES, base=5), 10).read()
    assert offsets_told(records) == list(range(10))


def test_a_batch_of_a_format_of_the_future_is_passed_over():
    future = bytearray(batch(MESSAGES))
    future[16] = 3
    records = Fetches(bytes(future) + batch(MESSAGES, base=5), 10).read()
    assert "format, 3, is not known" in unreadable_in(records[0]).message
    assert offsets_told(records) == list(range(10))


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2])
def test_messages_of_old_formats_are_read(magic, codec):
    messages = [(b"k", b"value %d" % i, []) for i in range(3)]
    if codec:
        log = legacy(magic, messages, codec=codec)
    else:
        log = b"".join(legacy(magic, [m], base=i) for i, m in enumerate(messages))
    assert [r.value for r in Fetches(log, 3).read()] == [value for _, value, _ in messages]


def test_an_old_message_that_becomes_too_much_is_passed_over():
    log = legacy(1, [(b"k", bytes(100_000), [])], codec=1) + batch([(b"n", b"n", [])], base=1)
    told, following = Fetches(log, 2, SMALL).read()
    assert "becomes more than 4,096 bytes" in unreadable_in(told).message
    assert following.key == b"n"


def test_a_batch_that_ends_before_what_was_asked_for_does_not_turn_a_reader_back():
    log = batch(MESSAGES) + batch(MESSAGES, base=1)
    records = Fetches(log, 6).read()
    assert offsets_told(records) == list(range(6))


def test_what_is_no_batch_at_all_is_passed_over_offset_by_offset():
    records = Fetches(b"\xff" * 200, 3).read()
    assert offsets_told(records) == [0, 1, 2]


@pytest.mark.parametrize("codec", list(CODECS.values())[1:], ids=list(CODECS)[1:])
@given(data=st.binary(max_size=400), cut=st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_any_bytes_under_a_codec_end(codec, data, cut):
    packed = compressed(codec, data)
    log = sealed(raw_batch(b"", 1, attributes=codec, last_offset_delta=4) + packed[cut:])
    told = offsets_told(Fetches(log, 5, SMALL).read())
    assert told == sorted(set(told))
