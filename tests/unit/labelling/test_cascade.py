from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from schemas import Category, category_count
from tests.support.synthetic_votes import shares_of, truth_of, voter
from training.errors import DataError
from training.labelling.aggregation import AGGREGATORS, choose_aggregator
from training.labelling.cascade import AGREEMENT, PEOPLE, assume_cascade, fit_cascade
from training.labelling.crossval import cross_validate
from training.labelling.label_model import UNKNOWN
from training.labelling.prior import Fate
from training.labelling.saved import LEAST_LABELS, Fitted, load_ensemble, save_ensemble
from training.labelling.votes import Votes

SHARES = shares_of(c2=0.7, c8=0.3)
TEXTS = 1200
VALIDATED = 300
FITTED = Fitted(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "checked.csv", VALIDATED, TEXTS, 0.95)


@pytest.fixture(scope="module")
def truth():
    return truth_of(TEXTS, SHARES)


@pytest.fixture(scope="module")
def known(truth):
    return np.where(np.arange(TEXTS) < VALIDATED, truth, UNKNOWN)


@pytest.fixture(scope="module")
def cheap(truth):
    return {
        "good": voter(truth, 0.9, wrong=[2, 8], silent=0.3, seed=1),
        "weak": voter(truth, 0.6, wrong=[2, 8], seed=2),
    }


@pytest.fixture(scope="module")
def llm(truth):
    return {"llm": voter(truth, 0.9, wrong=[4, 7], seed=3)}


def right(decisions, truth):
    decided = ~decisions.open
    return (decisions.category[decided] == truth[decided]).mean()


def test_what_is_decided_is_as_right_as_wanted(truth, known, cheap, llm):
    cascade = fit_cascade(cheap, llm, known, 0.95)
    first = cascade.decide(list(cheap.values()))
    open_rows = np.flatnonzero(first.open)
    every = [vote.take(open_rows) for vote in (*cheap.values(), *llm.values())]
    settled = cascade.settle(first, open_rows, every)
    new = truth[VALIDATED:]
    assert 0 < first.open.mean() < 1
    assert settled.open.sum() < first.open.sum()
    decided = ~settled.open[VALIDATED:]
    assert (settled.category[VALIDATED:][decided] == new[decided]).mean() > 0.93


def test_the_llm_settles_only_what_was_open(known, cheap, llm):
    cascade = fit_cascade(cheap, llm, known, 0.95)
    first = cascade.decide(list(cheap.values()))
    rows = np.flatnonzero(first.open)
    every = [vote.take(rows) for vote in (*cheap.values(), *llm.values())]
    settled = cascade.settle(first, rows, every)
    closed = ~first.open
    assert (settled.category[closed] == first.category[closed]).all()
    assert {by for by, was in zip(settled.decided_by, first.open, strict=True) if was} <= {
        "llm",
        PEOPLE,
    }


def test_a_category_that_the_sample_does_not_hold_is_never_given(truth, known, cheap):
    seldom = {**cheap, "seldom": voter(truth, 0.99, wrong=[7], seed=4)}
    cascade = fit_cascade(seldom, {}, known)
    assert Category("electronics") in cascade.prior.dropped
    assert set(cascade.decide(list(seldom.values())).category) <= {2, 8}


def test_an_absent_category_that_many_reviews_are_voted_into_is_left_to_people(truth, known):
    often = {"often": voter(truth, 0.7, wrong=[7], seed=4)}
    cascade = fit_cascade(often, {}, known)
    assert cascade.prior.fates[7].fate is Fate.PEOPLE
    decisions = cascade.decide(list(often.values()))
    assert decisions.open[decisions.category == Category("electronics").id].all()


def test_what_only_people_may_give_stays_open(known, cheap):
    cascade = fit_cascade(cheap, {}, known, 0.95, {Category("no-product"): Fate.PEOPLE})
    decisions = cascade.decide(list(cheap.values()))
    assert decisions.open[decisions.category == Category("no-product").id].all()
    assert not decisions.open.all()


def test_without_validated_reviews_only_what_is_very_sure_is_decided(truth):
    sure = voter(truth, 0.95, wrong=[2, 8], sure=0.99)
    unsure = voter(truth, 0.95, wrong=[2, 8], sure=0.4)
    together = {"a": sure, "b": sure, "c": sure}
    assert not assume_cascade(together).decide([sure] * 3).open.all()
    assert assume_cascade({"a": unsure}).decide([unsure]).open.all()


def test_a_saved_cascade_decides_as_before(tmp_path, known, cheap, llm):
    cascade = fit_cascade(cheap, llm, known)
    save_ensemble(cascade, tmp_path / "e.json", FITTED)
    loaded = load_ensemble(tmp_path / "e.json").cascade
    before, after = (c.decide(list(cheap.values())) for c in (cascade, loaded))
    assert before.decided_by == after.decided_by
    assert after.probabilities == pytest.approx(before.probabilities)
    every = [*cheap.values(), *llm.values()]
    assert loaded.expensive.posterior(every) == pytest.approx(cascade.expensive.posterior(every))
    assert loaded.prior.fates == cascade.prior.fates


@pytest.mark.parametrize("name", list(AGGREGATORS))
def test_every_aggregator_can_be_saved(tmp_path, known, cheap, name, monkeypatch):
    monkeypatch.setattr("training.labelling.cascade.choose_aggregator", lambda *_: (name, []))
    cascade = fit_cascade(cheap, {}, known)
    save_ensemble(cascade, tmp_path / "e.json", FITTED)
    votes = list(cheap.values())
    loaded = load_ensemble(tmp_path / "e.json").cascade
    assert loaded.cheap.posterior(votes) == pytest.approx(cascade.cheap.posterior(votes))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 2, "cheap": {}}'])
def test_what_is_no_ensemble_is_refused_with_a_remedy(tmp_path, content):
    (tmp_path / "e.json").write_text(content)
    with pytest.raises(DataError, match="is not an ensemble") as refused:
        load_ensemble(tmp_path / "e.json")
    assert "reviews label" in refused.value.remedy


def test_it_says_when_and_on_what_it_was_fitted_and_is_named_by_what_it_holds(
    tmp_path, known, cheap
):
    cascade = fit_cascade(cheap, {}, known)
    saved = save_ensemble(cascade, tmp_path / "e.json", FITTED)
    loaded = load_ensemble(tmp_path / "e.json")
    assert (loaded.fitted, loaded.version) == (FITTED, saved.version)
    assert str(loaded.fitted) == (
        "fitted 2026-01-02 03:04 UTC on 300 people's labels of checked.csv for 95% precision"
    )
    later = replace(FITTED, at=FITTED.at + timedelta(hours=1))
    assert save_ensemble(cascade, tmp_path / "e.json", later).version != saved.version


def test_an_ensemble_that_does_not_say_on_what_it_was_fitted_decides_nothing(tmp_path):
    (tmp_path / "e.json").write_text('{"version": 1, "cheap": {}}')
    with pytest.raises(DataError, match="does not say on what it was fitted"):
        load_ensemble(tmp_path / "e.json")


def test_an_ensemble_that_hardly_anybody_s_labels_speak_for_decides_nothing(tmp_path, known, cheap):
    few = replace(FITTED, labels=LEAST_LABELS - 1)
    save_ensemble(fit_cascade(cheap, {}, known), tmp_path / "e.json", few)
    with pytest.raises(DataError, match="29 people's labels"):
        load_ensemble(tmp_path / "e.json")


def test_an_absent_ensemble_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_ensemble(tmp_path / "none.json")


def test_the_aggregator_that_does_best_on_unseen_reviews_is_chosen(truth, known):
    votes = [
        voter(truth, 0.95, wrong=[2, 8], seed=1),
        voter(truth, 0.2, wrong=[2, 8], sure=0.99, seed=2),
        voter(truth, 0.2, wrong=[2, 8], sure=0.99, seed=3),
    ]
    name, scores = choose_aggregator(votes, known, SHARES)
    by_name = {score.name: score for score in scores}
    assert set(by_name) == set(AGGREGATORS)
    assert name != "majority"
    assert by_name[name].weighted_f1 > by_name["majority"].weighted_f1


def test_cross_validation_asks_the_llm_about_what_is_open_and_draws_the_curve(truth, cheap, llm):
    sample = slice(0, VALIDATED)
    rows = np.arange(VALIDATED)
    judged = cross_validate(
        {name: vote.take(rows) for name, vote in cheap.items()},
        {name: vote.take(rows) for name, vote in llm.items()},
        truth[sample],
    )
    assert 0 < judged.llm_share < 1
    assert judged.curve[0][0] == 0
    assert judged.curve[-1][0] == 1
    assert judged.curve[-1][1] >= judged.curve[0][1] - 0.02
    assert judged.precision > 0.9


def test_the_llm_does_not_help_itself_by_answering_what_it_was_not_asked(truth, cheap):
    rows = np.arange(VALIDATED)
    sample = {name: vote.take(rows) for name, vote in cheap.items()}
    judged = cross_validate(sample, {}, truth[:VALIDATED])
    assert judged.llm_share == 0
    assert judged.curve == ()


def says(*categories):
    """Votes of 0.65 for these categories; None is silence."""
    rows = np.full((len(categories), category_count()), 0.35 / 8, dtype=np.float32)
    for row, category in zip(rows, categories, strict=True):
        if category is None:
            row[:] = 0
        else:
            row[category.id] = 0.65
    return Votes(rows, ("",) * len(rows))


def test_where_nothing_is_measured_two_agree_only_if_both_say_the_same():
    """No calibration turns one's vote into the other's, and silence is no agreement."""
    dress, shoe = Category("clothing"), Category("footwear")
    many = [dress] * 40
    one, two = says(*many, dress, dress, dress), says(*many, shoe, None, dress)
    decided = assume_cascade({"one": one, "two": two}).decide([one, two]).decided_by
    assert [by == AGREEMENT for by in decided[-3:]] == [False, False, True]
