"""How far one distribution is from another."""

import random
from collections import Counter
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.monitor.drift import jensen_shannon, psi, psi_beyond_chance
from stream.settings import MonitorSettings

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


def drawn(dice, weights, size):
    """Return how often each of some bins was drawn."""
    counts = Counter(dice.choices(range(len(weights)), weights, k=size))
    return [counts[i] for i in range(len(weights))]


@pytest.mark.parametrize("bins", [9, 77, 150])
@pytest.mark.parametrize("known", ["counts", "shares"])
def test_however_many_categories_there_are_chance_raises_no_alert_and_a_shift_does(bins, known):
    """The fewest reviews that are judged at all, of skewed categories."""
    settings, dice = MonitorSettings(), random.Random(bins)
    weights = [dice.expovariate(1) for _ in range(bins)]
    rare = weights.index(min(weights))
    shifted = [0.6 * weight for weight in weights]
    shifted[rare] += 0.4 * sum(weights)
    unchanged, moved = [], []
    for _ in range(100):
        reference = drawn(dice, weights, settings.baseline_reviews)
        if known == "shares":
            reference = [count / settings.baseline_reviews for count in reference]
        unchanged.append(psi_beyond_chance(reference, drawn(dice, weights, settings.alert_reviews)))
        moved.append(psi_beyond_chance(reference, drawn(dice, shifted, settings.alert_reviews)))
    raise_at, clear_at = settings.alert_mix_psi
    assert max(unchanged) < raise_at
    assert quantiles(unchanged, n=10)[-1] < clear_at
    assert min(moved) > raise_at


@given(PAIRS)
def test_beyond_chance_is_never_negative_and_never_more_than_the_whole(pair):
    assert 0 <= psi_beyond_chance(*pair) <= psi(*pair) + 1e-9


@pytest.mark.parametrize("measure", [psi, psi_beyond_chance, jensen_shannon])
def test_nothing_observed_is_refused(measure):
    with pytest.raises(ValueError, match="nothing"):
        measure([0.5, 0.5], [0, 0])


@pytest.mark.parametrize("measure", [psi, psi_beyond_chance, jensen_shannon])
def test_different_bins_are_refused(measure):
    with pytest.raises(ValueError, match="2 bins against 3"):
        measure([0.5, 0.5], [1, 1, 1])
