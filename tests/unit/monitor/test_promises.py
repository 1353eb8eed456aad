"""The monitor on promises: what audits say, what is expected between them, and when a category is held."""

import re
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from schemas import Category, GuardDecision
from stream.monitor.engine import Engine
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.snapshot import snapshot
from stream.settings import GuardSettings, MonitorSettings
from tests.support.labels import START, label
from tests.support.queue import task
from tests.support.summaries import EPOCH, at, summary

CLOTHING, SHOES = Category("clothing"), Category("footwear")


def watching(mode="hold", promised=0.95, **monitor):
    engine = Engine(
        MonitorSettings(**{"alert_hold_seconds": 0.0} | monitor),
        clock=lambda: EPOCH + 900.0,
        guard=GuardSettings(mode=mode, promised=promised),
    )
    engine.apply_batch(0, 0, summary(EPOCH))
    return engine


def audited(engine, answers, first=0, published=None):
    """Let people decide so many audits of clothing, of the model m1."""
    for i, said in enumerate(answers, first):
        asked = task(i, best=CLOTHING, best_share=0.97, reason="audit", audit_share=0.1)
        asked = asked.model_copy(update={"queued_at": published or at(EPOCH + i)})
        engine.audits.take(0, asked)
        word = label(said, review_id=f"r{i}", minutes=i, shown_blind=True)
        engine.decisions.apply(0, i, word)
        engine.audits.heard(word.review_id)


BAD = [CLOTHING, SHOES] * 20
GOOD = [CLOTHING] * 40


def test_audits_that_show_a_broken_promise_hold_the_category_of_that_model():
    engine = watching()
    audited(engine, BAD)
    (due,) = engine.promises.due()
    assert (due.category, due.model_version, due.number, due.action) == (CLOTHING, "m1", 1, "held")
    assert (due.audited, due.right, due.promised) == (40, 20, 0.95)
    assert due.evidence > 180


def test_a_kept_promise_holds_nothing():
    engine = watching()
    audited(engine, GOOD)
    assert engine.promises.due() == []


@pytest.mark.parametrize("mode", ["off", "alarm"])
def test_only_the_mode_hold_holds(mode):
    engine = watching(mode)
    audited(engine, BAD)
    assert engine.promises.due() == []


def test_a_decision_that_is_on_its_way_is_not_repeated_and_once_counted_never_again():
    engine = watching()
    audited(engine, BAD)
    (due,) = engine.promises.due()
    assert engine.promises.due() == []
    engine.holds.apply(due)
    assert engine.promises.due() == []


def test_after_a_release_only_what_was_published_since_counts():
    engine = watching()
    audited(engine, BAD)
    (due,) = engine.promises.due()
    engine.holds.apply(due)
    released = GuardDecision(
        category=CLOTHING,
        model_version="m1",
        number=2,
        action="released",
        decided_by="ann",
        decided_at=at(EPOCH + 1000),
    )
    assert engine.holds.apply(released) is None
    assert engine.promises.due() == []
    audited(engine, BAD, first=100, published=at(EPOCH + 900))
    assert engine.promises.due() == []
    audited(engine, BAD, first=200, published=at(EPOCH + 1100))
    (again,) = engine.promises.due()
    assert (again.number, again.audited) == (3, 40)


def test_what_nobody_promised_is_not_guarded():
    engine = watching(promised=None)
    audited(engine, BAD)
    assert engine.promises.due() == []


def test_state_that_is_read_back_says_the_same():
    engine, again = watching(), watching()
    audits, words = {}, {}
    for i, said in enumerate(BAD):
        asked = task(i, best=CLOTHING, best_share=0.97, reason="audit", audit_share=0.1)
        audits |= {change.key: change.value for change in engine.audits.take(0, asked)}
        _, word = engine.decisions.apply(0, i, label(said, review_id=f"r{i}", shown_blind=True))
        words[word.key] = word.value
    again.decisions.restore((), words.items())
    again.audits.restore(audits.items())
    (due,) = again.promises.due()
    assert (due.audited, due.right) == (40, 20)


def test_memory_is_bounded_and_what_people_decided_is_forgotten_last():
    engine = watching()
    engine.audits._most = 3
    audited(engine, [SHOES] * 2)
    for i in range(2, 8):
        engine.audits.take(0, task(i, best=CLOTHING, reason="audit"))
    assert sum(audit.is_decided for audit in engine.audits.all()) == 2
    assert len(list(engine.audits.all())) == 3


def test_alerts_tell_of_a_proven_break_and_of_what_is_held():
    engine = watching("hold")
    audited(engine, BAD)
    assert {a.rule.name for a in engine.look() if a.active} == {"audited-precision"}
    (due,) = engine.promises.due()
    engine.holds.apply(due)
    assert {a.rule.name for a in engine.look() if a.active} == {"category-held"}


def test_an_expected_precision_below_the_promise_is_an_alert_and_holds_nothing():
    engine = watching(alert_reviews=100)
    engine.apply_batch(0, 1, summary(EPOCH + 100, published=2000, relabelled=0, confidence=0.9))
    engine.apply_batch(0, 2, summary(EPOCH + 120, published=1, relabelled=0, confidence=0.9))
    assert "estimated-precision" in {a.rule.name for a in engine.look() if a.active}
    assert engine.promises.due() == []


def test_workers_of_a_former_version_raise_no_alert_about_confidence():
    engine = watching(alert_reviews=100)
    old = summary(EPOCH + 100, published=2000, relabelled=0, confidence=0.9)
    counts = {
        c: n.model_copy(update={"published_confidence": 0.0}) for c, n in old.categories.items()
    }
    engine.apply_batch(0, 1, old.model_copy(update={"categories": counts}))
    engine.apply_batch(0, 2, summary(EPOCH + 120, published=1, relabelled=0))
    assert "estimated-precision" not in {a.rule.name for a in engine.look() if a.active}


def test_page_and_metrics_show_measured_and_expected_precision_and_what_is_held():
    engine = watching()
    audited(engine, BAD)
    (due,) = engine.promises.due()
    engine.holds.apply(due)
    quality = snapshot(engine, 900)["quality"]
    rows = [dict(zip(quality["columns"], row, strict=True)) for row in quality["rows"]]
    (row,) = (one for one in rows if one["category"] == CLOTHING.id)
    assert (row["precision"], row["decided"], row["held"]) == (0.5, 40, 1)
    assert row["expected"] == pytest.approx(0.97)
    assert row["estimated"] == pytest.approx(0.9)
    assert [one["category"] for one in quality["held"]] == [CLOTHING.id]
    text = generate_latest(MonitorMetrics(engine).registry).decode()
    assert 'reviews_monitor_audited_precision_ratio{category="clothing"} 0.5' in text
    assert 'reviews_monitor_category_held{category="clothing",model="m1"} 1.0' in text
    (error,) = re.findall(r'estimate_error_ratio\{category="clothing"\} (\S+)', text)
    assert float(error) == pytest.approx(0.47)


def test_a_withdrawn_word_takes_the_answer_back():
    engine = watching()
    audited(engine, BAD)
    taken_back = label(None, review_id="r1", revision=9, minutes=99, withdrawn=True)
    engine.decisions.apply(0, 99, taken_back)
    engine.audits.heard("r1")
    (due,) = engine.promises.due()
    assert (due.audited, due.right) == (39, 20)
    assert START + timedelta(minutes=99) == taken_back.decided_at
