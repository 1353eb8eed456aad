"""Moments in events: whoever reads one can count with it, whatever was written."""

import json
from datetime import UTC, datetime

import pytest

from schemas import GuardDecision, Label, RelabelTask, WrongShape, decode

LABEL = {
    "review_id": "r1",
    "text": "платье",
    "category": "kids",
    "decided_by": "person",
    "labeller": "ann",
    "codebook_version": "1",
}
TASK = {
    "review": {"review_id": "r1", "text": "платье"},
    "probabilities": {"kids": 1.0},
    "reason": "audit",
    "threshold": 0.5,
    "model_version": "m1",
    "source": {"topic": "reviews.incoming", "partition": 0, "offset": 0},
}
HELD = {
    "category": "kids",
    "model_version": "m1",
    "number": 1,
    "action": "held",
    "decided_by": "monitor",
}


@pytest.mark.parametrize(
    ("event", "fields", "name"),
    [
        (Label, LABEL, "decided_at"),
        (RelabelTask, TASK, "queued_at"),
        (GuardDecision, HELD, "decided_at"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_the_two_ends_of_the_calendar_are_refused(event, fields, name, moment):
    with pytest.raises(WrongShape, match=f"{name}.*beyond what can be counted"):
        decode(event, json.dumps({**fields, name: moment}).encode())


@pytest.mark.parametrize("moment", ["0002-01-01T00:00:00", "9998-12-31T23:59:59.999999-14:00"])
def test_every_other_moment_is_read_back_from_its_seconds(moment):
    found = decode(Label, json.dumps({**LABEL, "decided_at": moment}).encode()).decided_at
    assert abs((datetime.fromtimestamp(found.timestamp(), UTC) - found).total_seconds()) < 1


def test_a_moment_without_a_zone_is_utc():
    found = decode(Label, json.dumps({**LABEL, "decided_at": "2026-11-29T12:00:00"}).encode())
    assert found.decided_at == datetime(2026, 11, 29, 12, tzinfo=UTC)
