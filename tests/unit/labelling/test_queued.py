"""What becomes of a drawn sample that goes to a review queue."""

import pytest

from schemas import Category
from training.data.files import Suggestion, UnlabelledReview
from training.labelling.queued import tasks_of

KIDS = Category("kids")


def task_of(confidence, *, guess=KIDS, blind=False):
    row = Suggestion(UnlabelledReview("r1", "сапоги"), guess, "agreement", confidence=confidence)
    (task,) = tasks_of([row], "first.jsonl", 0.95, blind=blind)
    return task


@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0])
def test_a_suggestion_is_what_the_run_said(confidence):
    assert task_of(confidence).probabilities == {KIDS: confidence}


@pytest.mark.parametrize("confidence", [None, -0.1, 1.1, 97.0])
def test_a_confidence_that_is_none_makes_no_suggestion(confidence):
    assert task_of(confidence).probabilities == {}


def test_blind_or_without_a_guess_there_is_no_suggestion():
    assert task_of(0.5, blind=True).probabilities == {}
    assert task_of(0.5, guess=None).probabilities == {}


@pytest.mark.parametrize(
    ("review_id", "text"), [("r" * 5_000, "сапоги"), ("r1", "о" * 2_000_000), ("r1", "")]
)
def test_what_the_contract_does_not_take_is_named(review_id, text):
    rows = [Suggestion(UnlabelledReview(review_id, text), KIDS, confidence=0.5)]
    assert list(tasks_of(rows, "first.jsonl", 0.95, blind=False)) == [review_id]


def test_a_file_whose_name_is_no_text_is_named_all_the_same():
    rows = [Suggestion(UnlabelledReview("r1", "сапоги"), KIDS, confidence=0.5)]
    (task,) = tasks_of(rows, "\udcff.jsonl", 0.95, blind=False)
    assert task.review.review_id == "r1"
