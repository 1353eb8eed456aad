import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from schemas import category_count
from training.labelling.votes import Votes


def votes_of(rows):
    return Votes(np.array(rows, dtype=np.float32), ("why",) * len(rows))


@st.composite
def any_votes(draw):
    shape = (draw(st.integers(1, 12)), category_count())
    counts = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 5)))
    sums = counts.sum(axis=1, keepdims=True)
    return votes_of(np.where(sums > 0, counts / np.maximum(sums, 1), 0))


@given(any_votes())
def test_a_choice_is_given_exactly_where_the_labeller_does_not_abstain(votes):
    assert ((votes.choices >= 0) == ~votes.abstained).all()
    assert ((votes.confidence > 0) == ~votes.abstained).all()


@given(any_votes(), st.data())
def test_votes_are_silenced_exactly_where_they_are_not_kept(votes, data):
    keep = data.draw(hnp.arrays(np.bool_, len(votes)))
    kept = votes.where(keep)
    assert (kept.abstained == (votes.abstained | ~keep)).all()
    assert (kept.probabilities[keep] == votes.probabilities[keep]).all()


def test_rows_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to one"):
        votes_of([[0.5] + [0.0] * 8])


def test_a_reason_is_owed_for_every_text():
    with pytest.raises(ValueError, match="need probabilities of shape"):
        Votes(np.zeros((2, category_count()), dtype=np.float32), ("one",))
