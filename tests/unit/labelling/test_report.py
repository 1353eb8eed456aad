"""The report: figures that add up, a page that escapes strangers' texts, a summary without them."""

import numpy as np
import pytest

from schemas import all_categories
from tests.support.synthetic_votes import shares_of, truth_of, voter
from training.data.files import LabelledItem, UnlabelledReview
from training.labelling.noise import SuspiciousLabel, suspicious_labels
from training.labelling.report.build import summary, write_report
from training.labelling.report.figures import gather_figures, llm_figures
from training.labelling.run import Panel, run_labelling
from training.labelling.votes import Votes

EVIL = "<script>alert(1)</script>"
TEXTS = 240
TRUTH = truth_of(TEXTS, shares_of(c2=0.6, c8=0.4), seed=3)


class Fixed:
    """Repeats votes made beforehand, found by the number in the text."""

    def __init__(self, name, votes):
        self.name = name
        self.votes = votes

    def label(self, texts):
        return self.votes.take([int(text.split()[-1]) for text in texts])

    known = label


@pytest.fixture(scope="module")
def run():
    items = [UnlabelledReview(f"r{i}", f"{EVIL} платье номер {i}") for i in range(TEXTS)]
    known = [
        LabelledItem(item, list(all_categories())[TRUTH[i]]) for i, item in enumerate(items[:120])
    ]
    cheap = (
        Fixed("good", voter(TRUTH, 0.92, wrong=[2, 8], silent=0.2, seed=1)),
        Fixed("weak", voter(TRUTH, 0.75, wrong=[2, 8], silent=0.1, seed=2)),
    )
    llm = Fixed("llm", voter(TRUTH, 0.85, wrong=[2, 7], seed=5))
    return run_labelling(items, known, Panel(cheap, llm, ("zero-shot is not at hand",)))


@pytest.fixture(scope="module")
def figures(run):
    return gather_figures(run, 0.95, llm_figures(run))


def test_every_review_is_counted_once(figures):
    assert sum(figures.decided_by.values()) == figures.reviews == TEXTS
    left = figures.decided_by.get("people", 0)
    assert sum(figures.categories.values()) == TEXTS - left


def test_coverage_conflict_and_precision_are_those_of_the_votes(run, figures):
    by_name = {labeller.name: labeller for labeller in figures.labellers}
    votes: Votes = run.votes["good"]
    assert by_name["good"].coverage == pytest.approx((~votes.abstained).mean())
    sample = (run.known >= 0) & ~votes.abstained
    right = (votes.choices == run.known)[sample].mean()
    assert by_name["good"].precision.value == pytest.approx(right)
    assert 0 < by_name["good"].conflict < by_name["good"].overlap <= by_name["good"].coverage


def test_mistakes_are_wrong_and_the_surest_come_first(figures):
    mistakes = figures.labellers[1].mistakes
    assert mistakes
    assert all(mistake.said != mistake.truth for mistake in mistakes)
    sure = [mistake.confidence for mistake in mistakes]
    assert sure == sorted(sure, reverse=True)


def test_the_cascade_stands_beside_majority_vote_and_everyone_alone(figures):
    names = [method.name for method in figures.methods]
    assert names[0] == "the cascade"
    assert {"majority vote", "label model", "pool", "good alone", "llm alone"} <= set(names)


def test_every_figure_on_validated_reviews_has_an_interval_around_it(figures):
    measured = [c.f1 for c in figures.methods] + [c.accuracy for c in figures.methods]
    measured += [labeller.precision for labeller in figures.labellers]
    assert all(figure.low <= figure.value <= figure.high for figure in measured)
    assert all(figure.low < figure.high for figure in measured)
    assert f"({100 * measured[-1].low:.1f}–{100 * measured[-1].high:.1f})" in summary(figures)


def test_what_the_llm_was_spared_adds_up(run, figures):
    sent = run.asked[:TEXTS].sum()
    assert figures.llm.spared == TEXTS - sent
    assert figures.llm.share == pytest.approx(sent / TEXTS)
    deciding = (run.asked & (run.known < 0))[:TEXTS].sum()
    assert figures.llm.deciding == pytest.approx(deciding / TEXTS)


def test_a_review_cannot_put_markup_into_the_page(tmp_path, figures):
    page = write_report(tmp_path, figures, [SuspiciousLabel(0, 2, 8, 0.1)]).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<svg" in page


def test_the_summary_holds_no_review_text(figures):
    text = summary(figures)
    assert "платье" not in text
    assert "majority vote" in text
    assert "zero-shot is not at hand" in text


def test_without_validated_reviews_the_report_says_that_nothing_is_measured(tmp_path):
    items = [UnlabelledReview(f"r{i}", f"платье номер {i}") for i in range(30)]
    blind = run_labelling(items, [], Panel((Fixed("good", voter(TRUTH, 0.9, seed=1)),)))
    text = write_report(tmp_path, gather_figures(blind, 0.95)).read_text("utf-8")
    assert "nothing here is calibrated or measured" in text
    assert "reviews label validate" in text


def test_labels_that_were_flipped_are_found():
    random = np.random.default_rng(0)
    words = {2: ("платье", "юбка", "блузка"), 8: ("доставка", "продавец", "посылка")}
    truth = random.choice([2, 8], 200)
    texts = [" ".join(random.choice(words[c], 3)) + f" {i % 7}" for i, c in enumerate(truth)]
    labels = truth.copy()
    flipped = np.array([5, 50, 150])
    labels[flipped] = 10 - labels[flipped]
    found = suspicious_labels(texts, labels)
    assert {suspect.row for suspect in found} == set(flipped)
    assert all(suspect.expected == truth[suspect.row] for suspect in found)


def test_one_category_alone_has_no_suspicious_labels():
    assert suspicious_labels(["платье"] * 10, np.full(10, 2)) == []
