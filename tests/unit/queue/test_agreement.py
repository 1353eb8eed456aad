"""Agreement beyond chance, against published examples and what must hold for any table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.queue.agreement import agreement, one_category, pooled

answers = st.sampled_from("abcd")
tables = st.dictionaries(st.tuples(answers, answers), st.integers(1, 50), min_size=1)


def test_kappa_of_cohens_textbook_table():
    found = agreement({("y", "y"): 45, ("y", "n"): 15, ("n", "y"): 25, ("n", "n"): 15})
    assert found.kappa == pytest.approx(0.1304, abs=1e-4)


def test_ac1_holds_up_where_kappa_collapses():
    # Gwet 2008, table 4: both say "+" 118 times of 125, and kappa falls below zero.
    found = agreement({("+", "+"): 118, ("+", "-"): 5, ("-", "+"): 2})
    assert found.observed == pytest.approx(0.944)
    assert found.kappa == pytest.approx(-0.0234, abs=1e-4)
    assert found.ac1 == pytest.approx(0.9408, abs=1e-4)


def test_nothing_compared_is_no_agreement():
    assert agreement({}).kappa is None


def test_one_answer_for_everything_leaves_kappa_undefined():
    found = agreement({("a", "a"): 9})
    assert (found.kappa, found.ac1) == (None, 1.0)


@given(tables)
def test_who_came_first_does_not_matter(table):
    turned = {(other, one): n for (one, other), n in table.items()}
    assert agreement(table) == agreement(turned)


@given(tables)
def test_agreement_is_one_only_where_all_agree(table):
    found = agreement(table)
    assert found.ac1 is not None
    assert found.ac1 <= 1
    assert (found.observed == 1) == (found.ac1 == 1)


@given(tables, answers)
def test_a_single_category_counts_every_item(table, category):
    assert one_category(table, category).items == sum(table.values())


@given(st.lists(tables, max_size=4))
def test_pooled_tables_count_every_item_of_each(several):
    assert sum(pooled(several).values()) == sum(sum(t.values()) for t in several)
