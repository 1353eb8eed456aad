"""What a person's word becomes: events, revisions, and the way back."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas import Category
from stream.queue.acts import Verdict, act_on, correct, undo_act
from stream.queue.item import DecidedItem, Item, Opinion, Standing, text_print
from tests.support.queue import task


def item(kind="first", **fields):
    return Item(kind=kind, task=task(1), expires=datetime.now(UTC), blind=False, **fields)


def standing(revision, category=Category("kids")):
    return Standing(revision, text_print(task(1).review.text), category, "person", "ann", False)


KIDS = Verdict("ann", Category("kids"))


def test_a_first_word_stands_above_what_the_ensemble_would_say():
    act = act_on(item(), KIDS, None, "1")
    assert act.label.revision == act.categorized.revision == 2


@pytest.mark.parametrize("known", [1, 2, 7])
def test_a_word_stands_above_whatever_holds(known):
    assert act_on(item(), KIDS, standing(known), "1").label.revision == known + 1


def test_cannot_tell_reaches_no_category():
    act = act_on(item(), Verdict("ann", None), None, "1")
    assert act.label.category is None
    assert act.categorized is None


def test_a_second_opinion_decides_nothing():
    second = item("second", opinions=(Opinion("bob", Category("kids")),))
    act = act_on(second, Verdict("ann", Category("footwear")), standing(2), "1")
    assert (act.label, act.categorized) == (None, None)
    assert act.judgement.compared_with.labeller == "bob"


def test_whoever_saw_the_guess_of_a_blind_review_was_not_blind():
    blind = Item(kind="first", task=task(1), expires=datetime.now(UTC), blind=True)
    assert act_on(blind, KIDS, None, "1").judgement.shown_blind
    assert not act_on(blind, Verdict("ann", None, shown=True), None, "1").judgement.shown_blind


def test_undo_withdraws_with_the_next_revision():
    act = act_on(item(), KIDS, None, "1")
    undone = undo_act(act.undo)
    assert undone.label.withdrawn
    assert undone.label.revision == act.label.revision + 1
    assert undone.judgement.undone
    assert undone.categorized is None


def test_undoing_an_adjudication_brings_the_former_decision_back():
    dispute = item(
        "adjudication", opinions=(Opinion("ann", Category("kids")), Opinion("bob", None))
    )
    act = act_on(dispute, Verdict("eve", Category("footwear")), standing(2), "1")
    undone = undo_act(act.undo)
    assert (undone.label.category, undone.label.labeller) == (Category("kids"), "ann")
    assert undone.label.revision == undone.categorized.revision == 4


@pytest.mark.parametrize("blind", [True, False])
def test_a_decision_that_holds_again_was_made_as_blind_as_it_was(blind):
    held = replace(standing(2), blind=blind)
    corrected = correct(DecidedItem(task(1), held), Verdict("ann", Category("footwear")), "1")
    settled = act_on(
        replace(item("adjudication"), blind=not blind), Verdict("eve", Category("kids")), held, "1"
    )
    for act in (corrected, settled):
        assert undo_act(act.undo).label.shown_blind is blind
