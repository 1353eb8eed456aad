"""The picture of the streams that change is the one of the figures that stand beside it."""

import json

from tests.bench.changing_picture import MEASURED, PICTURE, drawn


def test_the_picture_is_drawn_from_what_was_measured():
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    assert PICTURE.read_text(encoding="utf-8") == drawn(measured)


def test_in_every_stream_the_guard_publishes_no_more_that_is_wrong():
    streams = json.loads(MEASURED.read_text(encoding="utf-8"))["streams"]
    assert len(streams) == 5
    assert all(line["wrong_with"] <= line["wrong_without"] for line in streams)
    assert all(one["false"] == 0 for line in streams for one in line["detectors"].values())
