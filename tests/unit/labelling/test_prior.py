import numpy as np
import pytest

from schemas import Category
from tests.support.synthetic_votes import shares_of, truth_of, voter
from training.labelling.prior import Fate, assumed_prior, estimate_prior

SHARES = shares_of(c2=0.8, c8=0.2)


def fate_of(prior, category):
    return prior.fates[category.id].fate


def test_a_category_that_the_sample_does_not_hold_is_dropped():
    known = truth_of(200, SHARES)
    prior = estimate_prior(known, [voter(truth_of(1000, SHARES), 1.0)])
    assert fate_of(prior, Category("electronics")) is Fate.DROPPED
    assert prior.shares[Category("electronics").id] == 0
    assert Category("electronics") in prior.dropped
    assert prior.fates[Category("electronics").id].why == "dropped as absent"


def test_an_absent_category_that_is_found_too_often_goes_to_people():
    known = truth_of(200, SHARES)
    stream = voter(truth_of(1000, shares_of(c2=0.9, c7=0.1)), 1.0)
    prior = estimate_prior(known, [stream])
    assert fate_of(prior, Category("electronics")) is Fate.PEOPLE
    assert prior.to_people[Category("electronics").id]


def test_what_a_person_says_of_a_category_holds():
    prior = estimate_prior(truth_of(200, SHARES), [], {Category("kids"): Fate.KEPT})
    assert fate_of(prior, Category("kids")) is Fate.KEPT
    assert prior.shares[Category("kids").id] > 0


def test_a_larger_sample_leaves_less_possible():
    small, large = (estimate_prior(truth_of(n, SHARES)).fates[0].bound for n in (50, 500))
    assert large < small == pytest.approx(0.058, abs=0.001)


def test_shares_sum_to_one():
    for prior in (
        estimate_prior(truth_of(30, SHARES)),
        assumed_prior([voter(truth_of(30, SHARES), 1.0)], {Category("kids"): Fate.DROPPED}),
    ):
        assert prior.shares.sum() == pytest.approx(1)
        assert (prior.shares >= 0).all()


def test_without_validated_reviews_no_category_is_called_absent():
    prior = assumed_prior([voter(truth_of(30, SHARES), 1.0)])
    assert not prior.dropped
    assert not np.any(prior.to_people)
