"""Headers of what we publish."""

from datetime import UTC, datetime

import pytest

from schemas import CategorizedReview, DeadLetterReason, SourcePosition, cloud_event
from schemas.headers import trace_headers, without_dead_letter

REASON = DeadLetterReason(
    code="not-json",
    message="значение не JSON",
    source=SourcePosition(topic="reviews.incoming", partition=3, offset=41),
    timestamp_ms=1_700_000_000_000,
    group="workers",
    worker="host-1",
)


def test_a_published_event_carries_every_required_cloud_events_attribute():
    headers = dict(cloud_event(CategorizedReview, "t[0]@7", "отзыв-1", datetime.now(UTC)))
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} <= headers.keys()
    assert headers["ce_subject"].decode() == "отзыв-1"


@pytest.mark.parametrize(
    ("review_id", "subject"),
    [("a\r\nX: 1", "a%0D%0AX: 1"), ("\x1b[2J\x00", "%1B[2J%00"), ("\x85", "%C2%85"), ("£Å", "£Å")],
)
def test_an_id_adds_no_lines_to_the_headers(review_id, subject):
    headers = dict(cloud_event(CategorizedReview, "t[0]@7", review_id, datetime.now(UTC)))
    assert headers["ce_subject"].decode() == subject


def test_a_trace_that_would_add_lines_is_not_passed_on():
    kept = [("traceparent", b"00-1"), ("tracestate", b"a=1")]
    forged = [("tracestate", b"a=1\r\nX: 1"), ("ce_tracestate", b"\x00")]
    assert trace_headers([*kept, *forged]) == kept


def test_a_dead_letter_reason_survives_the_round_trip():
    assert DeadLetterReason.from_headers(REASON.headers()) == REASON


def test_a_message_that_is_no_dead_letter_has_no_reason():
    with pytest.raises(KeyError):
        DeadLetterReason.from_headers([("content-type", b"text/plain")])


def test_a_replay_gets_back_the_original_headers_only():
    original = [("trace", b"1")]
    assert without_dead_letter([*original, *REASON.headers()]) == original
