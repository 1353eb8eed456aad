"""How far one distribution is from another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.monitor.drift import jensen_shannon, psi

COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=20).filter(any)
PAIRS = st.integers(2, 20).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 10_000), min_size=n, max_size=n).filter(any)] * 2)
)


@given(PAIRS)
def test_psi_is_never_negative(pair):
    assert psi(*pair) >= 0


@given(PAIRS)
def test_jensen_shannon_is_between_zero_and_one_bit(pair):
    assert 0 <= jensen_shannon(*pair) <= 1


@given(PAIRS)
def test_jensen_shannon_is_symmetric(pair):
    assert jensen_shannon(*pair) == pytest.approx(jensen_shannon(*reversed(pair)), abs=1e-12)


@given(COUNTS)
def test_a_distribution_does_not_diverge_from_itself(counts):
    assert jensen_shannon(counts, counts) == pytest.approx(0, abs=1e-9)


@given(COUNTS, st.integers(2, 50))
def test_jensen_shannon_looks_at_shares_and_not_at_sizes(counts, times):
    assert jensen_shannon(counts, [c * times for c in counts]) == pytest.approx(0, abs=1e-9)


def test_distributions_with_nothing_in_common_are_one_bit_apart():
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(1)


def test_psi_of_a_textbook_shift():
    # (0.6 - 0.5) ln(0.6/0.5) + (0.4 - 0.5) ln(0.4/0.5), by hand
    assert psi([0.5, 0.5], [60_000, 40_000]) == pytest.approx(0.04055, abs=1e-4)


def test_an_empty_bin_does_not_make_psi_infinite():
    assert 0.25 < psi([0.99, 0.01, 0.0], [0, 0, 500]) < 20


def test_chance_alone_stays_below_the_customary_level():
    reference = [0.8, 0.15, 0.05]
    assert psi(reference, [163, 28, 9]) < 0.1


@pytest.mark.parametrize("measure", [psi, jensen_shannon])
def test_nothing_observed_is_refused(measure):
    with pytest.raises(ValueError, match="nothing"):
        measure([0.5, 0.5], [0, 0])


@pytest.mark.parametrize("measure", [psi, jensen_shannon])
def test_different_bins_are_refused(measure):
    with pytest.raises(ValueError, match="2 bins against 3"):
        measure([0.5, 0.5], [1, 1, 1])
