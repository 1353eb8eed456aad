"""Which of all that was ever said about a review holds."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import Category
from tests.support.labels import label
from training.retrain.labels import standing


def withdrawal(revision, by="person"):
    return label(None, by, revision, withdrawn=True)


def held(*labels):
    return [found.category for found in standing(labels)[0]]


def test_a_person_is_believed_before_a_later_ensemble_of_the_same_revision():
    said = (label(Category("footwear")), label(Category("kids"), "ensemble", minutes=5))
    assert held(*said) == [Category("footwear")]


def test_among_people_the_higher_revision_holds_whatever_its_time():
    said = (label(Category("footwear"), revision=2), label(Category("kids"), minutes=9))
    assert held(*said) == [Category("footwear")]


def test_a_withdrawn_decision_teaches_nothing():
    said = (label(Category("footwear")), withdrawal(2))
    assert standing(said) == ([], {"superseded": 0, "withdrawn": 1, "cannot-tell": 0})


def test_a_decision_after_a_withdrawal_holds():
    assert held(
        label(Category("kids")), withdrawal(2), label(Category("footwear"), revision=3)
    ) == [Category("footwear")]


def test_who_cannot_tell_teaches_nothing_and_silences_the_ranks_below():
    kept, dropped = standing([label(None), label(Category("kids"), "llm")])
    assert kept == []
    assert dropped["cannot-tell"] == 1


LABELS = st.builds(
    label,
    st.sampled_from([None, Category("footwear"), Category("kids")]),
    st.sampled_from(["person", "ensemble", "llm"]),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(LABELS, max_size=8).flatmap(lambda x: st.tuples(st.just(x), st.permutations(x))))
def test_the_order_in_which_labels_come_does_not_matter(both):
    given_order, another = both
    assert standing(given_order) == standing(another)


@given(st.lists(LABELS, max_size=8))
def test_one_label_a_review_and_each_other_one_is_accounted_for(labels):
    kept, dropped = standing(labels)
    assert len({found.review_id for found in kept}) == len(kept)
    assert len(kept) + sum(dropped.values()) == len(labels)
