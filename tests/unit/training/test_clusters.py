"""Rows of one product count as fewer than as many independent ones, as far as they are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import category_count
from training.measures.clusters import clusters_of, design_effects, intraclass_correlation
from training.measures.metrics import accuracy, bootstrap
from training.measures.promise import guaranteed_thresholds, lower_bound, promises

CLUSTERS = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(np.array)


def alike(chance, clusters, size, share, correlation):
    """Return rows of clusters whose shares of right ones are drawn around one (beta-binomial)."""
    spread = 1 / correlation - 1
    shares = chance.beta(share * spread, (1 - share) * spread, clusters)
    cluster = np.repeat(np.arange(clusters), size)
    return chance.random(len(cluster)) < shares[cluster], cluster


@pytest.mark.parametrize("correlation", [0.1, 0.3, 0.6])
def test_how_alike_rows_of_a_cluster_are_is_found(correlation):
    right, cluster = alike(np.random.default_rng(1), 2000, 12, 0.8, correlation)
    assert intraclass_correlation(right, cluster) == pytest.approx(correlation, abs=0.05)


def test_rows_that_have_no_more_in_common_than_others_are_not_alike():
    chance = np.random.default_rng(2)
    right, cluster = chance.random(9000) < 0.8, chance.integers(0, 300, 9000)
    assert intraclass_correlation(right, cluster) < 0.01


@pytest.mark.parametrize("products", [["a"] * 9, [""] * 9, ["a", "a", "b"]])
def test_where_no_two_products_have_several_rows_nothing_is_known(products):
    right = np.arange(len(products)) % 2 == 0
    assert intraclass_correlation(right, clusters_of(products)) == 0


@given(CLUSTERS, st.floats(0, 1))
def test_the_first_rows_have_the_design_effect_of_a_sample_of_their_own(cluster, correlation):
    effects = design_effects(cluster, correlation)
    for rows in range(1, len(cluster) + 1):
        sizes = np.bincount(cluster[:rows])
        expected = 1 + ((sizes**2).sum() / rows - 1) * correlation
        assert effects[rows - 1] == pytest.approx(expected)


def test_rows_that_say_all_the_same_count_as_one():
    """Six products, of which one is wrong throughout: as six rows would, not as six hundred."""
    cluster = np.repeat(np.arange(6), 100)
    probabilities = np.zeros((600, category_count()))
    probabilities[:, 0], probabilities[:, 1] = 0.9, 0.1
    truth = np.where(cluster == 5, 1, 0)
    thresholds = np.full(category_count(), 0.5)
    (found, *_) = promises(probabilities, truth, thresholds, 0.5, cluster)
    assert found.lower == pytest.approx(lower_bound(5, 6))
    assert found.needed is not None
    assert found.needed > 800, "more products, as large as these"
    right = round(found.needed * 5 / 6)
    assert lower_bound(right, found.needed, design_effect=100) >= 0.5


def test_without_products_each_row_stands_for_itself():
    chance = np.random.default_rng(3)
    probabilities = chance.dirichlet(np.full(category_count(), 0.1), 400)
    truth = np.where(chance.random(400) < 0.9, probabilities.argmax(axis=1), 0)
    single = np.arange(400)
    assert (
        guaranteed_thresholds(probabilities, truth, 0.9)
        == guaranteed_thresholds(probabilities, truth, 0.9, cluster=single)
    ).all()
    thresholds = np.full(category_count(), 0.5)
    assert promises(probabilities, truth, thresholds, 0.9) == promises(
        probabilities, truth, thresholds, 0.9, single
    )


@pytest.mark.slow
def test_a_guarantee_is_kept_by_other_products():
    """Asked for 0.9 over 200 draws of forty products; without products it is broken far more often."""
    chance = np.random.default_rng(5)
    broken = {"known": 0, "unknown": 0}
    for _ in range(200):
        confidence = 1 - chance.beta(0.6, 3, 800)
        # How much surer than right it is, is the product's.
        shift = np.repeat(chance.normal(0, 0.08, 40), 20)
        right = chance.random(800) < np.clip(confidence + shift, 0, 1)
        probabilities = np.zeros((800, category_count()))
        probabilities[:, 0], probabilities[:, 1] = confidence, 1 - confidence
        truth = np.where(right, 0, 1)
        beyond = 1 - chance.beta(0.6, 3, 40_000)
        others = np.clip(beyond + chance.normal(0, 0.08, 40_000), 0, 1)
        for name, cluster in (("known", np.repeat(np.arange(40), 20)), ("unknown", None)):
            threshold = guaranteed_thresholds(probabilities, truth, 0.9, cluster=cluster)[0]
            sure = beyond >= threshold
            broken[name] += bool(sure.any()) and others[sure].mean() < 0.9
    assert broken["known"] <= 20
    assert broken["known"] < broken["unknown"]


def test_an_interval_over_products_is_wider_where_their_rows_are_alike():
    right, cluster = alike(np.random.default_rng(4), 30, 20, 0.8, 0.5)
    truth, predicted = np.zeros(600, dtype=np.int64), np.where(right, 0, 1)
    rows = bootstrap(accuracy, truth, predicted, resamples=400)
    products = bootstrap(accuracy, truth, predicted, resamples=400, cluster=cluster)
    assert products.high - products.low > 2 * (rows.high - rows.low)


def test_of_a_handful_of_products_the_interval_is_over_rows():
    truth, predicted = np.zeros(60, dtype=np.int64), np.arange(60) % 5 // 4
    one = bootstrap(accuracy, truth, predicted, cluster=np.zeros(60, dtype=np.int64))
    assert one == bootstrap(accuracy, truth, predicted)
