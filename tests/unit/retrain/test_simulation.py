"""The orders of asking, and the curves that compare them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.simulation.curve import Point, Simulation, labels_needed, run
from tests.bench.simulation.orders import ORDERS, Choice, near_identical
from tests.bench.simulation.report import as_markdown, as_svg
from tests.support.tiny_model import KEYWORDS
from training.data.dataset import labelled


def choice(probabilities, group=None, labelled_groups=()):
    rows = len(probabilities)
    return Choice(
        np.arange(rows),
        np.asarray(probabilities),
        np.arange(rows) if group is None else np.asarray(group),
        frozenset(labelled_groups),
        {},
        np.full(9, 1 / 9),
    )


def unsure(category, margin):
    row = np.zeros(9)
    row[category], row[8] = (1 + margin) / 2, (1 - margin) / 2
    return row


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.sampled_from(sorted(ORDERS)))
def test_every_order_asks_each_review_at_most_once_and_as_many_as_wanted(rows, size, seed, name):
    random = np.random.default_rng(seed)
    said = random.dirichlet(np.ones(9), rows)
    asked = ORDERS[name](choice(said, random.integers(0, 5, rows)), size, random).tolist()
    assert len(set(asked)) == len(asked) == min(size, rows)


def test_margin_asks_the_closest_call_first():
    said = [unsure(0, 0.9), unsure(1, 0.1), unsure(2, 0.5)]
    asked = ORDERS["margin"](choice(said), 2, np.random.default_rng(0))
    assert asked.tolist() == [1, 2]


def test_ours_asks_about_near_identical_texts_once_before_anything_twice():
    said = [unsure(0, 0.1), unsure(0, 0.1), unsure(0, 0.9)]
    asked = ORDERS["ours"](choice(said, group=[0, 0, 2]), 3, np.random.default_rng(1))
    assert set(asked.tolist()[:2]) in ({0, 2}, {1, 2})


def test_ours_gives_a_rare_category_turns_before_a_common_one_is_done():
    said = [unsure(0, 0.1)] * 100 + [unsure(1, 0.8)] * 4
    asked = ORDERS["ours"](choice(said), 12, np.random.default_rng(0))
    assert (asked >= 100).sum() >= 2


def test_corrected_does_not_ask_where_the_stream_s_shares_leave_no_doubt():
    """Nearly all is of category 0: a tie with it is none, a tie of two rare ones is."""
    said = [unsure(0, 0.99)] * 40 + [unsure(0, 0.0), unsure(1, 0.02)]
    random = np.random.default_rng(0)
    assert ORDERS["corrected"](choice(said), 1, random).tolist() == [41]
    assert ORDERS["margin"](choice(said), 1, random).tolist() == [40]


def test_texts_that_differ_in_a_number_are_near_identical():
    texts = ["платье очень красивое, рост 164", "платье очень красивое, рост 170", "чайник течёт"]
    assert near_identical(texts).tolist() == [0, 0, 2]


def test_labels_needed_is_where_the_mean_curve_stays_above():
    points = [Point("ours", 0, n, f, f) for n, f in ((0, 0.9), (10, 0.6), (20, 0.8), (30, 0.9))]
    assert labels_needed(points, "ours", 0.7) == pytest.approx(15)


@pytest.fixture(scope="module")
def points():
    texts = [f"{word} {word} хорошая вещь {n}" for word in KEYWORDS for n in range(12)]
    rows = labelled(texts, np.repeat(np.arange(9), 12), "person")
    pool, test = rows.take(np.arange(len(rows)) % 3 > 0), rows.take(np.arange(len(rows)) % 3 == 0)
    base = labelled(["чайник течёт", "сапоги малы", "чайник", "сапоги"], [0, 1, 0, 1], "written")
    return run(Simulation(base, pool, test, batch=24, labels=48, seeds=1))


def test_all_orders_begin_with_the_same_model_and_labels_make_it_better(points):
    first = {p.weighted_f1 for p in points if p.labels == 0}
    last = [p.weighted_f1 for p in points if p.labels == 48]
    assert len(first) == 1
    assert min(last) > max(first) + 0.2


def test_the_report_names_each_order_in_table_and_picture(points):
    for name in ORDERS:
        assert name in as_markdown(points)
        assert f">{name}</text>" in as_svg(points)
