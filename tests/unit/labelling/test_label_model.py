"""Synthetic voters with a known truth: what the models estimate must converge to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import category_count
from tests.support.synthetic_votes import shares_of, truth_of, voter
from training.labelling.label_model import UNKNOWN, fit_label_model, majority_vote
from training.labelling.pooling import fit_pool
from training.labelling.votes import Votes

SHARES = shares_of(c2=0.6, c5=0.1, c8=0.3)
TEXTS = 3000


@pytest.fixture(scope="module")
def truth():
    return truth_of(TEXTS, SHARES)


def few_known(truth, count=100):
    known = np.full(len(truth), UNKNOWN)
    known[:count] = truth[:count]
    return known


def accuracy(posterior, truth):
    return (posterior.argmax(axis=1) == truth).mean()


def test_the_label_model_finds_each_voters_accuracy_without_any_known_category(truth):
    wanted = (0.9, 0.75, 0.6)
    votes = [voter(truth, a, wrong=[2, 5, 8], sure=1.0, seed=i) for i, a in enumerate(wanted)]
    model = fit_label_model(votes, few_known(truth, 0), SHARES)
    for vote, confusion in zip(votes, model.confusion, strict=True):
        really = [(vote.choices[truth == c] == c).mean() for c in (2, 8)]
        assert confusion[[2, 8], [2, 8]] == pytest.approx(really, abs=0.06)


@pytest.mark.parametrize("fit", [fit_label_model, fit_pool])
def test_one_good_voter_wins_against_two_bad_ones_where_majority_vote_loses(truth, fit):
    votes = [
        voter(truth, 0.95, wrong=[2, 8], seed=1),
        voter(truth, 0.2, wrong=[2, 5, 8], sure=0.99, seed=2),
        voter(truth, 0.2, wrong=[2, 5, 8], sure=0.99, seed=3),
    ]
    fitted = fit(votes, few_known(truth), SHARES)
    assert accuracy(fitted.posterior(votes), truth) >= 0.9
    assert accuracy(majority_vote(votes, SHARES), truth) < 0.8


def test_the_pool_hardly_hears_a_voter_that_repeats_another(truth):
    first, copy = voter(truth, 0.85, seed=1), voter(truth, 0.85, seed=1)
    other = voter(truth, 0.85, seed=9)
    known = few_known(truth, 400)
    pool = fit_pool([first, copy, other], known, SHARES)
    alone = fit_pool([first, other], known, SHARES)
    assert pool.weights[:2].sum() == pytest.approx(alone.weights[0], rel=0.35)


def test_more_validated_reviews_bring_the_pool_nearer_to_the_truth(truth):
    votes = [voter(truth, [0.9, 0, 0.9, 0, 0, 0.5, 0, 0, 0.6], seed=i) for i in range(2)]
    losses = []
    for count in (20, 1000):
        posterior = fit_pool(votes, few_known(truth, count), SHARES).posterior(votes)
        losses.append(-np.log(np.maximum(posterior[np.arange(TEXTS), truth], 1e-9)).mean())
    assert losses[1] < losses[0]


@pytest.mark.parametrize("fit", [fit_label_model, fit_pool])
def test_what_does_not_occur_is_never_given(truth, fit):
    votes = [voter(truth, 0.3, wrong=[7], seed=i) for i in range(3)]
    posterior = fit(votes, few_known(truth), SHARES).posterior(votes)
    assert (posterior[:, SHARES == 0] == 0).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 1.0), min_size=1, max_size=4), st.floats(0, 0.9), st.integers(0, 60))
def test_posteriors_are_distributions_whatever_the_voters(accuracies, silent, count):
    truth = truth_of(80, SHARES)
    votes = [voter(truth, a, silent=silent, seed=i) for i, a in enumerate(accuracies)]
    for fit in (fit_label_model, fit_pool):
        posterior = fit(votes, few_known(truth, count), SHARES).posterior(votes)
        assert posterior.sum(axis=1) == pytest.approx(np.ones(80))
        assert (posterior >= 0).all()


def test_where_all_are_silent_the_shares_remain():
    silence = [Votes.abstention(5, "nothing")]
    known = np.full(5, UNKNOWN)
    assert majority_vote(silence, SHARES) == pytest.approx(np.tile(SHARES, (5, 1)))
    assert fit_pool(silence, known, SHARES).posterior(silence) == pytest.approx(
        np.tile(SHARES, (5, 1))
    )


def test_a_fixed_weight_is_kept(truth):
    votes = [voter(truth, 0.8, seed=i) for i in range(2)]
    pool = fit_pool(votes, few_known(truth), SHARES, [None, 1.25])
    assert pool.weights[1] == 1.25
    assert pool.meaning.shape == (2, category_count(), category_count())
