import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.synthetic_votes import shares_of, truth_of, voter
from training.labelling.calibration import NEVER, calibrate, lowest_threshold
from training.labelling.label_model import UNKNOWN

SHARES = shares_of(c2=0.5, c8=0.5)
answers = st.lists(st.tuples(st.sampled_from([0.3, 0.5, 0.7, 0.9]), st.booleans()), max_size=60)


@given(answers, st.floats(0.5, 0.99))
def test_what_passes_the_threshold_is_as_right_as_wanted(pairs, precision):
    confidence = np.array([sure for sure, _ in pairs])
    right = np.array([was for _, was in pairs], dtype=bool)
    threshold = lowest_threshold(confidence, right, precision)
    passed = confidence >= threshold
    assert not passed.any() or right[passed].mean() >= precision


@given(answers, st.floats(0.5, 0.99))
def test_no_lower_threshold_would_do(pairs, precision):
    confidence = np.array([sure for sure, _ in pairs])
    right = np.array([was for _, was in pairs], dtype=bool)
    threshold = lowest_threshold(confidence, right, precision)
    for lower in {sure for sure in confidence if sure < threshold}:
        passed = confidence >= lower
        assert right[passed].sum() / (passed.sum() + 0.5) < precision


def test_a_few_lucky_votes_do_not_open_the_door():
    assert lowest_threshold(np.full(5, 0.99), np.ones(5, dtype=bool), 0.95) == NEVER


def test_a_bad_labeller_is_never_heard():
    truth = truth_of(200, SHARES)
    calibration = calibrate(voter(truth, 0.1, wrong=[2, 8], seed=4), truth, SHARES, 0.95)
    assert calibration.decides == NEVER


def test_an_overconfident_labeller_is_brought_down_to_what_it_is_worth():
    truth = truth_of(400, SHARES)
    boaster = voter(truth, 0.4, wrong=[2, 8], sure=0.99, seed=5)
    known = np.where(np.arange(400) < 200, truth, UNKNOWN)
    sure = calibrate(boaster, known, SHARES, 0.95).probabilities(boaster).max(axis=1)[200:]
    right = (boaster.choices == truth)[200:]
    assert abs(sure.mean() - right.mean()) < 0.08


def test_abstentions_stay_abstentions():
    truth = truth_of(100, SHARES)
    vote = voter(truth, 0.9, silent=0.4)
    calibration = calibrate(vote, truth, SHARES, 0.9)
    assert (calibration.probabilities(vote)[vote.abstained] == 0).all()
    assert calibration.heard(vote).abstained[vote.abstained].all()
