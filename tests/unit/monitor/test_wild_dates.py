"""Records dated 1970 or 2099: windows, page and decisions stay as they are."""

import json
import time

from schemas import Category, Label
from stream.monitor.engine import Engine
from stream.monitor.snapshot import snapshot
from stream.settings import MonitorSettings
from tests.support.summaries import EPOCH, at, summary

IN_1970, IN_2099 = 5, 4_070_908_800
# Walking through every minute since 1970 took minutes.
AT_ONCE_SECONDS = 5


def new_engine():
    return Engine(MonitorSettings(grace_seconds=20), clock=lambda: EPOCH + 900.0)


def label(review_id, decided_at):
    return Label(
        review_id=review_id,
        text=f"сапоги малы {review_id}",
        category=Category("footwear"),
        decided_by="person",
        labeller="ann",
        codebook_version="1",
        decided_at=at(decided_at),
    )


def test_a_batch_of_1970_and_one_of_today_close_their_own_windows_and_none_between():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(IN_1970, processed_at=EPOCH))
    engine.apply_batch(0, 1, summary(EPOCH + 10))
    engine.apply_batch(0, 2, summary(EPOCH + 90))
    began = time.process_time()
    ends = [w.end for w in engine.closed_windows() if w.kind == "tumbling"]
    engine.look()
    shown = json.dumps(snapshot(engine, 3600))
    assert time.process_time() - began < AT_ONCE_SECONDS
    assert ends == [EPOCH + 60]
    assert "NaN" not in shown


def test_a_partition_that_stays_in_1970_keeps_its_window_and_holds_nobody_up():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(IN_1970, processed_at=EPOCH))
    engine.apply_batch(1, 0, summary(EPOCH + 90))
    # What the watermark is once the first partition has been silent for long.
    engine.history._watermark.observe(0, EPOCH + 90.0)
    began = time.process_time()
    ends = [w.end for w in engine.closed_windows() if w.kind == "tumbling"]
    assert time.process_time() - began < AT_ONCE_SECONDS
    assert ends == [60]


def test_a_batch_of_2099_counts_when_it_was_processed():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(IN_2099, processed_at=EPOCH + 10))
    engine.apply_batch(0, 1, summary(EPOCH + 90))
    assert [w.end for w in engine.closed_windows() if w.kind == "tumbling"] == [EPOCH + 60]
    assert engine.history.latest == EPOCH + 90


def test_a_decision_of_2099_counts_now_and_drops_no_other():
    engine = new_engine()
    engine.decisions.apply(0, 0, label("r1", EPOCH + 800))
    engine.decisions.apply(0, 1, label("r2", IN_2099))
    decided = engine.decisions.window(EPOCH, EPOCH + 1000)
    assert decided.by("person") == 2
