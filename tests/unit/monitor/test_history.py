"""What the monitor remembers: exact sums over event time, whatever comes twice, late or disordered."""

from hypothesis import given
from hypothesis import strategies as st

from stream.monitor.bucket import Bucket
from stream.monitor.history import History, TimeRules
from tests.support.summaries import EPOCH, summary

RULES = TimeRules(bucket=10, grace=60, retention=3600, idle=30)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def new_history(**options):
    clock = Clock()
    return History(RULES, clock=clock, **options), clock


def table_of(history, events):
    """Apply events; return what a durable table would hold."""
    table = {}
    for partition, offset, event in events:
        for change in history.apply(partition, offset, event):
            if change.value is None:
                del table[change.key]
            else:
                table[change.key] = change.value
    return table


EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 50)),  # partition, seconds since the epoch
    max_size=40,
).map(
    lambda rows: [
        (partition, offset, summary(EPOCH + seconds))
        for offset, (partition, seconds) in enumerate(rows)
    ]
)


@given(EVENTS)
def test_a_window_holds_every_review_of_its_time(events):
    history, _ = new_history()
    table_of(history, events)
    assert history.window(EPOCH, EPOCH + 60).reviews == sum(e.reviews for _, _, e in events)


@given(EVENTS, st.data())
def test_what_comes_again_after_a_crash_counts_once(events, data):
    history, _ = new_history()
    written = data.draw(st.integers(0, len(events)), label="applied before the crash")
    committed = data.draw(st.integers(0, written), label="committed before the crash")
    table = table_of(history, events[:written])
    history.restore(table.items(), range(4))
    table_of(history, events[committed:])
    assert history.total().reviews == sum(e.reviews for _, _, e in events)
    assert history.window(EPOCH, EPOCH + 60).reviews == sum(e.reviews for _, _, e in events)


@given(EVENTS, st.data())
def test_a_crash_between_two_entries_of_one_batch_loses_and_repeats_nothing(events, data):
    history, _ = new_history()
    changes = [change for event in events for change in history.apply(*event)]
    kept = data.draw(st.integers(0, len(changes)), label="entries written before the crash")
    table = {change.key: change.value for change in changes[:kept]}
    history.restore(table.items(), range(4))
    table_of(history, events)
    assert history.total().reviews == sum(e.reviews for _, _, e in events)
    assert history.window(EPOCH, EPOCH + 60).reviews == sum(e.reviews for _, _, e in events)


@given(st.permutations(range(6)))
def test_the_order_of_arrival_does_not_matter_within_the_grace(order):
    history, _ = new_history()
    for offset, minute in enumerate(order):
        history.apply(0, offset, summary(EPOCH + minute * 10))
    assert [history.window(EPOCH + m * 10, EPOCH + m * 10 + 10).reviews for m in range(6)] == [
        10
    ] * 6


def test_a_late_batch_is_in_the_totals_but_in_no_closed_window():
    history, _ = new_history()
    history.apply(0, 1, summary(EPOCH + 200))
    history.apply(0, 2, summary(EPOCH + 5))
    assert history.total().late == 10
    assert history.total().reviews == 20
    assert history.window(EPOCH, EPOCH + 10).reviews == 0


def test_a_clock_that_runs_ahead_closes_no_window():
    history, _ = new_history()
    history.apply(0, 1, summary(EPOCH + 999_999, processed_at=EPOCH + 5))
    history.apply(0, 2, summary(EPOCH + 6))
    assert history.total().late == 0


def test_the_slowest_partition_holds_windows_open():
    history, _ = new_history()
    history.apply(0, 1, summary(EPOCH + 1000))
    history.restore((), range(2))
    history.apply(0, 1, summary(EPOCH + 1000))
    history.apply(1, 1, summary(EPOCH + 10))
    assert history.total().late == 0
    assert history.watermark < EPOCH


def test_a_silent_partition_holds_windows_open_only_for_a_while():
    history, clock = new_history()
    history.restore((), range(2))
    history.apply(0, 1, summary(EPOCH + 1000))
    assert history.watermark == 0
    for offset in (2, 3):  # partition 0 speaks on, partition 1 does not
        clock.now += RULES.idle / 2 + 1
        history.apply(0, offset, summary(EPOCH + 1010))
    assert history.watermark > EPOCH


def test_when_all_fall_silent_a_partition_that_never_spoke_holds_nothing_open():
    history, clock = new_history()
    history.restore((), range(2))
    history.apply(0, 1, summary(EPOCH + 1000))
    clock.now += RULES.idle + 1
    assert history.watermark == EPOCH + 1000 - RULES.grace


def test_after_a_common_silence_all_partitions_may_catch_up():
    history, clock = new_history()
    history.restore((), range(2))
    history.apply(0, 1, summary(EPOCH))
    history.apply(1, 1, summary(EPOCH))
    clock.now += 3600
    history.apply(0, 2, summary(EPOCH + 3600))
    history.apply(1, 2, summary(EPOCH + 10))
    assert history.total().late == 0


def test_buckets_beyond_the_retention_are_deleted_from_the_table():
    history, _ = new_history()
    table = table_of(
        history, [(0, 1, summary(EPOCH)), (0, 2, summary(EPOCH + RULES.retention + 100))]
    )
    assert f"0/{EPOCH}" not in table
    assert history.starts() == [EPOCH + RULES.retention + 100]


def test_a_partition_deletes_only_its_own_buckets():
    history, _ = new_history()
    table = table_of(
        history,
        [(0, 1, summary(EPOCH)), (1, 1, summary(EPOCH)), (0, 2, summary(EPOCH + 4000))],
    )
    assert f"1/{EPOCH}" in table


def test_a_baseline_is_complete_once_it_has_enough_reviews():
    history, _ = new_history(baseline_reviews=25)
    for offset in range(10):
        history.apply(0, offset, summary(EPOCH + offset))
    assert history.baseline("m1").classified == 30


def test_a_bucket_survives_its_changelog():
    bucket = Bucket.of(summary(EPOCH), EPOCH)
    assert Bucket.from_json(bucket.to_json()) == bucket


def test_a_changelog_of_a_newer_version_can_be_read():
    bucket = Bucket.of(summary(EPOCH), EPOCH)
    assert Bucket.from_json(bucket.to_json() | {"unheard_of": 1}) == bucket
