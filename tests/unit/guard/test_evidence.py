"""Evidence against a promise: quick where it is broken, patient where it is kept, however often one looks."""

from itertools import product

import numpy as np
import pytest

from stream.guard.estimate import estimate
from stream.guard.evidence import CHANCE, evidence, needed

PROMISED = 0.95


def ever_reaches(answers, bar, promised=PROMISED):
    return any(evidence(answers[:n], promised) >= bar for n in range(1, len(answers) + 1, 5))


@pytest.mark.parametrize("promised", [0.9, 0.95, 0.99])
def test_a_kept_promise_is_seldom_taken_for_broken_though_one_looks_after_every_few_audits(
    promised,
):
    chance = np.random.default_rng(7)
    streams = chance.random((100, 400)) < promised  # just kept, the hardest case
    false = sum(ever_reaches(list(row), 1 / CHANCE, promised) for row in streams)
    assert false <= 100 * CHANCE


def test_a_category_that_was_good_for_long_is_found_broken_soon_after_it_turns():
    chance = np.random.default_rng(3)
    good, bad = chance.random(1000) < 0.97, chance.random(400) < 0.7
    bar = needed(9)
    late = [n for n in range(0, 400, 5) if evidence([*good, *bad[:n]], PROMISED) >= bar]
    assert not ever_reaches(list(good), bar)
    assert late
    assert late[0] <= 80


def test_nothing_was_seen_nothing_is_said():
    assert evidence([], PROMISED) == 1.0


def test_the_coin_is_fair_if_just_the_promised_share_is_right():
    every = list(product([True, False], repeat=12))
    chances = [0.9 ** sum(one) * 0.1 ** (12 - sum(one)) for one in every]
    won = sum(c * evidence(one, 0.9) for c, one in zip(chances, every, strict=True))
    assert won == pytest.approx(1.0)


def test_one_slip_breaks_the_promise_that_there_is_none():
    assert evidence([True, False], 1.0) == float("inf")
    assert evidence([True, True], 1.0) == 1.0


def test_more_categories_share_the_chance_of_a_mistake():
    assert needed(9) == 9 * needed(1) == pytest.approx(180)


def test_an_estimate_is_the_mean_confidence_and_knows_what_chance_does():
    found = estimate(400, 380.0)
    assert found.precision == pytest.approx(0.95)
    assert found.shortfall(0.96) < 0 < found.shortfall(0.99)


def test_without_published_reviews_or_without_their_confidences_nothing_is_estimated():
    assert estimate(0, 0.0) is None
    assert estimate(10, 0.0) is None
