from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from schemas import BatchSummary, Category, SourcePosition
from stream.demo.outcomes import SAMPLES, EventOutcome, OutcomeTally, compare


def position(offset, partition=0):
    return SourcePosition(topic="reviews.incoming", partition=partition, offset=offset)


def decided(offset, category=Category("clothing"), confidence=0.9):
    return EventOutcome("category", position(offset), str(offset), "текст", category, confidence)


def test_mean_confidence_is_over_published_reviews_of_the_category():
    tally = OutcomeTally()
    tally.add(decided(0, confidence=0.8))
    tally.add(decided(1, confidence=1.0))
    tally.add(decided(2, Category("kids"), 0.1))
    assert tally.mean_confidence(Category("clothing")) == 0.9


def test_a_category_without_reviews_has_no_mean():
    assert OutcomeTally().mean_confidence(Category("kids")) is None


def test_relabel_share_is_of_all_outcomes():
    tally = OutcomeTally()
    for offset in range(3):
        tally.add(decided(offset))
    tally.add(EventOutcome("relabel", position(3), "3", "?", Category("kids"), 0.4))
    assert tally.relabel_share == 0.25


def test_only_a_few_samples_are_kept():
    tally = OutcomeTally()
    for offset in range(10):
        tally.add(decided(offset))
    assert len(tally.samples[Category("clothing")]) == SAMPLES


def test_cache_hits_come_from_batch_summaries():
    moment = datetime.now(UTC)
    tally = OutcomeTally()
    tally.add(
        BatchSummary(
            worker="w",
            model_version="m",
            source_topic="t",
            source_partition=0,
            first_offset=0,
            last_offset=4,
            reviews=5,
            published=5,
            relabelled=0,
            dead=0,
            cache_hits=2,
            first_event_at=moment,
            last_event_at=moment,
        )
    )
    assert (tally.cache_hits, tally.total) == (2, 0)


def test_every_input_answered_once_is_exactly_once():
    inputs = {position(0), position(1), position(0, partition=1)}
    assert compare(inputs, Counter(inputs)).exactly_once


def test_a_lost_a_repeated_and_an_unknown_outcome_are_told_apart():
    inputs = {position(0), position(1)}
    outcomes = Counter({position(0): 3, position(9): 1})
    verdict = compare(inputs, outcomes)
    assert (verdict.lost, verdict.repeated, verdict.unknown) == (1, 2, 1)


@given(
    st.sets(st.integers(0, 20)),
    st.lists(st.integers(0, 20)),
)
def test_the_counts_add_up(inputs, outcomes):
    verdict = compare(
        {position(offset) for offset in inputs}, Counter(position(offset) for offset in outcomes)
    )
    assert verdict.outcomes == verdict.inputs - verdict.lost + verdict.repeated + verdict.unknown
