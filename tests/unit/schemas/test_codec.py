"""What is accepted on a topic, and what a rejected event is told."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    MAX_EVENT_BYTES,
    MAX_TEXT_CHARS,
    BatchSummary,
    ContractError,
    NotJson,
    Review,
    TooLarge,
    UnknownSchemaVersion,
    WrongShape,
    decode,
    encode,
    review_id_of,
)


def test_an_event_survives_the_round_trip():
    review = Review(review_id="r1", text="Платье село после стирки", metadata={"shop": "7"})
    assert decode(Review, encode(review)) == review


def test_unknown_fields_are_tolerated():
    review = decode(Review, b'{"review_id": "r1", "text": "ok", "colour": "red"}')
    assert review.review_id == "r1"


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (None, NotJson, "null"),
        (b"", NotJson, "not JSON"),
        (b"not json", NotJson, "not JSON"),
        ("текст".encode("cp1251"), NotJson, "not UTF-8"),
        (b'{"review_id": "r1", "text": "\\ud800"}', NotJson, "not JSON"),
        (b'{"review_id": "r1"}', WrongShape, "text: Field required"),
        (b'{"review_id": 7, "text": "ok"}', WrongShape, "review_id"),
        (b'{"review_id": "", "text": "ok"}', WrongShape, "review_id"),
        (b'{"review_id": "r1", "text": ""}', WrongShape, "text"),
        (b'{"review_id": "r1", "text": " \\n\\t "}', WrongShape, "text"),
        (b"[1, 2]", WrongShape, "Review"),
        (b'{"review_id": "r1", "text": "ok", "schema_version": 2}', UnknownSchemaVersion, "2"),
        (b'{"review_id": "r1", "text": "ok", "schema_version": 0}', UnknownSchemaVersion, "0"),
        (b'"' + b"x" * MAX_EVENT_BYTES + b'"', TooLarge, f"{MAX_EVENT_BYTES:,}"),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(value, error, says):
    with pytest.raises(error, match=says):
        decode(Review, value)


def test_a_text_over_the_limit_is_refused():
    with pytest.raises(WrongShape, match="text"):
        decode(Review, f'{{"review_id": "r1", "text": "{"а" * (MAX_TEXT_CHARS + 1)}"}}'.encode())


def test_the_longest_text_fits_the_largest_event():
    longest = Review(review_id="r1", text="\U0001f600" * MAX_TEXT_CHARS)
    assert decode(Review, encode(longest)) == longest


@given(st.binary(max_size=300))
def test_no_bytes_make_decoding_raise_anything_but_a_contract_error(value):
    try:
        decode(Review, value)
    except ContractError as error:
        assert error.code  # noqa: PT017 - both outcomes are fine, others are not


SUMMARY = {
    "worker": "w", "model_version": "m", "source_topic": "t", "source_partition": 0, "first_offset": 0,
    "last_offset": 1, "reviews": 2, "published": 2, "relabelled": 0, "dead": 0, "cache_hits": 0,
    "tokens": 9, "queue_seconds": 0.1, "categories": {"kids": {"published": 2, "confidence_sum": 1.9}},
    "confidence_histogram": [0] * 19 + [2],
    "first_event_at": "2026-11-29T10:00:00Z", "last_event_at": "2026-11-29T10:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e400", "1" + "0" * 19])
@pytest.mark.parametrize(
    "name",
    ["last_offset", "reviews", "tokens", "queue_seconds", "confidence_sum", "confidence_histogram"],
)
def test_a_summary_whose_numbers_nobody_can_add_up_is_refused(name, number):
    """The monitor stopped at such a number, and again after every restart."""
    text = json.dumps(SUMMARY)
    assert decode(BatchSummary, text.encode()).reviews == 2
    huge = re.sub(rf'("{name}": \[?)[\d.]+', rf"\g<1>{number}", text)
    assert number in huge
    with pytest.raises(WrongShape, match=name):
        decode(BatchSummary, huge.encode())


@pytest.mark.parametrize(("key", "names"), [(None, None), (b"\xff", None), ("ы".encode(), "ы")])
def test_a_key_that_is_no_id_names_no_review(key, names):
    assert review_id_of(key) == names
