"""Intervals of shares, for few rows and for many."""

from hypothesis import given
from hypothesis import strategies as st

from stream.intervals import wilson


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_share_and_stays_between_zero_and_one(counts):
    hits, of = counts
    low, high = wilson(hits, of)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= hits / of + 1e-9
        assert high >= hits / of - 1e-9


@given(st.integers(1, 2000), st.floats(0, 1))
def test_the_interval_holds_the_share_and_narrows_with_more_rows(rows, share):
    right = round(rows * share)
    low, high = wilson(right, rows)
    assert 0 <= low <= right / rows + 1e-9
    assert right / rows - 1e-9 <= high <= 1
    wider = wilson(right, rows)
    narrower = wilson(right * 10, rows * 10)
    assert narrower[1] - narrower[0] <= wider[1] - wider[0]
