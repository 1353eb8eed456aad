"""Which audits the gate judges by, and that none of them is trained on while it does."""

import pytest

from schemas import Category
from stream.queue.label_topic import ReadLabels
from tests.support.labels import label
from tests.support.queue import task
from training.data.dataset import labelled
from training.retrain.assemble import assemble
from training.retrain.audits import audited_stream

KIDS, SHOES = Category("kids"), Category("footwear")
SERVES = "m1"  # as the questions of `task` say


def question(i, **fields):
    shown = {"best": KIDS, "best_share": 0.99, "reason": "audit", "audit_share": 0.1}
    return task(i, f"сапоги номер {i}", **(shown | fields))


def answer(i, category=KIDS, **fields):
    told = {"review_id": f"r{i}", "shown_blind": True} | fields
    text = told.pop("text", f"сапоги номер {i}")
    return label(category, **told).model_copy(update={"text": text})


def stream_of(questions, answers, **more):
    return audited_stream(questions, {said.review_id: said for said in answers}, SERVES, **more)


def test_a_sample_holds_what_people_decided_unseen_with_its_weight():
    answers = [answer(0), answer(1, SHOES), answer(2, None), answer(3, shown_blind=False)]
    stream = stream_of([question(i, audit_share=0.25) for i in range(6)], answers)
    assert (stream.asked, len(stream.rows)) == (6, 2)
    assert {audit.weight for audit in stream.audits} == {4.0}
    said = {"сапоги номер 0": KIDS.id, "сапоги номер 1": SHOES.id}
    assert dict(zip(stream.rows.texts, stream.rows.categories.tolist(), strict=True)) == said


def test_an_audit_without_a_known_chance_weighs_as_the_others_do_on_average():
    questions = [question(0, audit_share=0.5), question(1, audit_share=0.25), question(2)]
    questions[2] = questions[2].model_copy(update={"audit_share": None})
    stream = stream_of(questions, [answer(i) for i in range(3)])
    weights = dict(zip(stream.rows.texts, (audit.weight for audit in stream.audits), strict=True))
    assert weights["сапоги номер 2"] == pytest.approx(3.0)


def test_unsure_reviews_and_what_other_models_published_are_no_part_of_the_sample():
    unsure = question(0, reason="low-confidence", audit_share=None)
    of_another = question(1).model_copy(update={"model_version": "m0"})
    assert stream_of([unsure, of_another], [answer(0), answer(1)]).asked == 0


def test_an_answer_to_another_text_than_was_published_measures_nothing():
    assert not len(stream_of([question(0)], [answer(0, text="совсем другое")]).rows)


def test_of_many_audits_a_part_is_kept_out_which_only_ever_shrinks():
    first = stream_of([question(i) for i in range(50)], [answer(i) for i in range(50)], most=20)
    later = stream_of([question(i) for i in range(80)], [answer(i) for i in range(80)], most=20)
    assert len(first.rows) == len(later.rows) == 20
    stayed = set(first.rows.texts) & {f"сапоги номер {i}" for i in range(50)}
    assert set(later.rows.texts) & {f"сапоги номер {i}" for i in range(50)} <= stayed


def made(answers, audits, base=(), share=0.0):
    return assemble(ReadLabels(list(answers), {0: 1}), "labels", base, [], share, audits)


def test_no_text_of_an_audit_is_trained_on_wherever_it_comes_from():
    answers = [answer(i) for i in range(5)]
    again = answer(9, text="Сапоги  НОМЕР 0", by="ensemble")
    base = [("base", labelled(["сапоги номер 1", "платье"], [5, 2], "written"))]
    found = made([*answers, again], stream_of([question(0), question(1)], answers), base)
    assert set(found.training.texts) == {*(f"сапоги номер {i}" for i in (2, 3, 4)), "платье"}
    assert (found.lineage.labels.audited, found.lineage.labels.in_frozen_sets) == (2, 0)
    assert [source.rows for source in found.lineage.frozen if source.name == "audits"] == [2]


def test_audits_of_a_model_that_serves_no_longer_teach_the_next_one():
    answers = [answer(i) for i in range(5)]
    replaced = [question(i).model_copy(update={"model_version": "m0"}) for i in range(5)]
    assert len(made(answers, stream_of(replaced, answers)).training) == 5


def test_audits_do_not_change_which_texts_are_held_out():
    answers = [answer(i) for i in range(200)]
    audits = stream_of([question(i) for i in range(100)], answers)
    (with_audits,) = made(answers, audits, share=0.2).frozen
    (without,) = made(answers, None, share=0.2).frozen
    assert with_audits.rows.digest == without.rows.digest
