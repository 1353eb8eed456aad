"""The page of measured precision shows what the table shows, and loads nothing."""

from datetime import UTC, datetime

from schemas import Category
from stream.audit.page import page
from stream.audit.precision import audits_of, broken, measure, windows
from tests.support.labels import label
from tests.support.queue import task

KIDS = Category("kids")


def test_a_broken_promise_stands_first_and_intervals_are_drawn():
    tasks = [task(i, best=KIDS, best_share=0.97, reason="audit") for i in range(60)]
    said = [KIDS if i % 2 else Category("footwear") for i in range(50)]
    labels = {f"r{i}": label(s, review_id=f"r{i}", shown_blind=True) for i, s in enumerate(said)}
    audits = audits_of(tasks, labels)
    found = measure(audits)
    text = page(
        found, windows(audits, 7), broken(found, 0.95), 0.95, datetime(2026, 1, 5, tzinfo=UTC)
    )
    name = KIDS.info.name("en")
    assert f"{name}: the promise is not kept." in text.replace("<b>", "")
    assert "50.0%" in text
    assert "97.0%" in text
    assert text.count("<svg") == 2
    assert "://" not in text
    assert tasks[0].review.text not in text


def test_without_answers_the_page_says_so_by_empty_cells():
    tasks = [task(0, best=KIDS, reason="audit")]
    found = measure(audits_of(tasks, {}))
    text = page(found, [], [], None, datetime(2026, 1, 5, tzinfo=UTC))
    assert "<svg" not in text
