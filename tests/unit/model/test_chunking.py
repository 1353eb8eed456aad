"""Cutting a micro-batch into calls of the model."""

from hypothesis import given
from hypothesis import strategies as st

from stream.model.chunking import plan_chunks

LENGTHS = st.lists(st.integers(min_value=1, max_value=128), max_size=300)


@given(LENGTHS)
def test_every_row_is_in_exactly_one_chunk(lengths):
    rows = [row for chunk in plan_chunks(lengths, 2048) for row in chunk]
    assert sorted(rows) == list(range(len(lengths)))


@given(LENGTHS, st.integers(min_value=1, max_value=4096))
def test_no_chunk_exceeds_the_budget_unless_it_is_a_single_row(lengths, budget):
    for chunk in plan_chunks(lengths, budget):
        padded = len(chunk) * max(lengths[row] for row in chunk)
        assert padded <= budget or len(chunk) == 1


@given(LENGTHS)
def test_the_first_row_of_a_chunk_is_its_longest(lengths):
    for chunk in plan_chunks(lengths, 2048):
        assert lengths[chunk[0]] == max(lengths[row] for row in chunk)


def test_equal_lengths_share_one_call():
    assert len(plan_chunks([20] * 64, 2048)) == 1


def test_a_long_text_does_not_pad_short_ones():
    assert plan_chunks([128, *[5] * 20], 4096) == [[0], list(range(1, 21))]
