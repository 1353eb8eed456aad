"""Waiting and decided, as the monitor counts them: every review once, whatever is sent or said again."""

from datetime import UTC, datetime, timedelta

from schemas import Category, Label
from stream.monitor.decisions import Decisions
from stream.monitor.history import TimeRules

START = datetime(2026, 1, 1, tzinfo=UTC)
EVER = (0, float("inf"))


def decisions():
    return Decisions(TimeRules(10, 10, 3600))


def label(revision, category="kids", text="сапоги малы", **fields):
    return Label(
        review_id="r1",
        text=text,
        category=category,
        decided_by="person",
        labeller="ann",
        codebook_version="1",
        revision=revision,
        decided_at=START + timedelta(seconds=30 * revision),
        **fields,
    )


def counts(found):
    return found.waiting, found.settled, found.window(*EVER).by("person")


def test_a_review_that_is_sent_again_waits_once():
    found = decisions()
    found.ask("r1", "сапоги малы")
    found.ask("r1", "Сапоги  малы")
    assert counts(found) == (1, 0, 0)


def test_a_decision_before_its_question_answers_it_and_a_changed_text_waits_again():
    found = decisions()
    found.apply(0, 0, label(2))
    found.ask("r1", "сапоги малы")
    assert counts(found) == (0, 1, 1)
    found.ask("r1", "сапоги велики")
    assert counts(found) == (1, 1, 1)
    found.erase("r1")
    assert counts(found) == (0, 1, 1)


def test_undone_and_corrected_decisions_count_once_where_they_hold():
    found = decisions()
    found.ask("r1", "сапоги малы")
    found.apply(0, 0, label(2))
    found.apply(0, 1, label(3, "footwear"))
    assert counts(found) == (0, 1, 1)
    assert found.window(*EVER).categories["footwear"] == {"person": 1}
    found.apply(0, 2, label(4, None, withdrawn=True))
    assert counts(found) == (1, 0, 0)


def test_what_is_delivered_again_after_a_crash_counts_once():
    found, restored = decisions(), decisions()
    kept_counts, kept_words = {}, {}
    for offset, one in enumerate([label(2), label(3, "footwear"), label(3, "footwear")]):
        changes, word = found.apply(0, min(offset, 1), one)
        kept_counts.update({c.key: c.value for c in changes})
        kept_words.update({word.key: word.value} if word else {})
    assert counts(found) == (0, 1, 1)
    # The words were made durable before the crash, the counts were not.
    first = decisions().apply(0, 0, label(2))[0]
    restored.restore([(c.key, c.value) for c in first], kept_words.items())
    restored.apply(0, 1, label(3, "footwear"))
    assert restored.window(*EVER).categories["footwear"] == {"person": 1}
    assert restored.window(*EVER).by("person") == 1
    assert Category("kids").slug in kept_counts[next(iter(kept_counts))]["categories"]
