"""Measured precision from audits: shares, intervals, and when a promise is broken."""

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas import Category
from stream.audit.precision import Audit, audits_of, broken, measure, windows
from tests.support.labels import label
from tests.support.queue import task

KIDS, SHOES = Category("kids"), Category("footwear")


def audits(number, category=KIDS):
    return [task(i, best=category, best_share=0.99, reason="audit") for i in range(number)]


def decided(answers, by="person", blind=True):
    return {
        f"r{i}": label(c, by, review_id=f"r{i}", shown_blind=blind) for i, c in enumerate(answers)
    }


def test_precision_is_of_what_people_decided_and_names_what_they_said_instead():
    found = measure(audits_of(audits(10), decided([KIDS] * 6 + [SHOES, None])))
    (kids, every) = found
    assert (kids.audited, kids.decided, kids.right, kids.unclear) == (10, 7, 6, 1)
    assert kids.taken_for == ((SHOES, 1),)
    assert every.category is None
    assert every.precision == pytest.approx(6 / 7)


def test_only_people_decide_an_audit():
    assert measure(audits_of(audits(4), decided([KIDS] * 4, by="ensemble")))[-1].decided == 0


def test_who_may_have_seen_the_answer_does_not_decide_an_audit():
    assert measure(audits_of(audits(4), decided([KIDS] * 4, blind=False)))[-1].decided == 0


def test_what_was_not_published_is_no_audit():
    tasks = [task(i, best=KIDS) for i in range(5)]
    assert measure(audits_of(tasks, decided([KIDS] * 5)))[-1].audited == 0


def test_one_slip_in_each_of_many_categories_is_no_broken_promise():
    slugs = [Category(slug) for slug in ("kids", "footwear", "clothing", "tableware")]
    tasks = [task(i, best=slugs[i // 10], best_share=0.99, reason="audit") for i in range(40)]
    answers = [slugs[i // 10] if i % 10 else Category("electronics") for i in range(40)]
    assert broken(measure(audits_of(tasks, decided(answers))), 0.9) == []


def test_a_promise_is_broken_only_when_chance_is_no_excuse():
    assert not broken(measure(audits_of(audits(10), decided([KIDS] * 8 + [SHOES] * 2))), 0.95)
    assert not broken(
        measure(audits_of(audits(10_000), decided([KIDS] * 9_500 + [SHOES] * 500))), 0.95
    )
    many = measure(audits_of(audits(100), decided([KIDS] * 80 + [SHOES] * 20)))
    assert [one.category for one in broken(many, 0.95)] == [KIDS, None]


def test_an_audit_of_categories_that_are_gone_says_nothing_of_those_there_are():
    gone = audits(1)[0].model_copy(update={"probabilities": {}})
    assert [one.category for one in measure(audits_of([gone], decided([KIDS])))] == [None]
    assert measure(audits_of([gone], decided([KIDS])))[-1].audited == 0


def test_one_slip_breaks_the_promise_that_there_is_none():
    assert broken(measure(audits_of(audits(9), decided([KIDS] * 8 + [SHOES]))), 1.0)
    assert not broken(measure(audits_of(audits(9), decided([KIDS] * 9))), 1.0)


def weighed(category, answers, chance, first=0):
    tasks = [
        task(first + i, best=category, best_share=0.9, reason="audit", audit_share=chance)
        for i in range(len(answers))
    ]
    labels = {
        f"r{first + i}": label(said, review_id=f"r{first + i}", shown_blind=True)
        for i, said in enumerate(answers)
    }
    return audits_of(tasks, labels)


def test_a_category_that_is_audited_more_often_weighs_no_more_in_the_sum():
    few = weighed(KIDS, [SHOES] * 50, chance=0.5)  # of 100 published, all wrong
    many = weighed(SHOES, [SHOES] * 50, chance=0.05, first=100)  # of 1,000, all right
    *_, every = measure([*few, *many])
    assert every.precision == pytest.approx(1000 / 1100)
    assert every.effective < every.decided
    assert every.low < 1000 / 1100 < every.high


def test_what_was_to_be_right_by_the_models_confidence_stands_beside_what_is():
    (kids, _) = measure(weighed(KIDS, [KIDS] * 7 + [SHOES] * 3, chance=0.1))
    assert kids.precision == pytest.approx(0.7)
    assert kids.expected == pytest.approx(0.9)


def test_windows_part_audits_by_the_day_of_publication():
    early, late = weighed(KIDS, [KIDS] * 4, 0.1), weighed(KIDS, [SHOES] * 4, 0.1, first=50)
    late = [replace(audit, at=audit.at + timedelta(days=14)) for audit in late]
    found = windows([*early, *late], days=7)
    assert [measured[0].precision for _, measured in found] == [1.0, 0.0]
    assert found[0][0] < found[1][0]


@pytest.mark.parametrize("share", [5e-324, 1e-300, 1e-12])
def test_no_chance_however_small_breaks_the_figures(share):
    asked = task(1, best=KIDS, reason="audit", audit_share=share)
    audit = Audit.of(asked).answered(label(KIDS, review_id="r1", shown_blind=True))
    (*_, whole) = measure([audit, audit])
    assert (whole.precision, whole.effective) == (1.0, pytest.approx(2.0))
