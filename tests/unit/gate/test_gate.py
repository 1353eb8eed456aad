"""The gate lets a better model through and says why it keeps another out."""

import json

import numpy as np
import pytest

from schemas import all_categories
from schemas.taxonomy import MARKETPLACE
from stream.errors import ModelError
from stream.settings import GateSettings
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.data.dataset import labelled
from training.data.files import read_labelled
from training.errors import DataError
from training.gate.frozen import CANARIES, FrozenSet, read_frozen
from training.gate.infrastructure import budget_checks
from training.gate.judge import judge
from training.gate.metrics import metric_checks
from training.gate.report import as_html, as_markdown, write_report
from training.gate.verdict import CategoryFindings, FrozenScores, SetFindings, Speed

RULES = GateSettings(resamples=200)


@pytest.fixture
def canaries(tmp_path):
    """One canary a category, so short that the tiny model knows it."""
    path = tmp_path / "canaries.jsonl"
    rows = zip(KEYWORDS, all_categories(), strict=True)
    path.write_text("".join(json.dumps({"text": w, "category": c.slug}) + "\n" for w, c in rows))
    return path


@pytest.fixture
def rules(canaries):
    # A tiny model takes microseconds: how busy the machine is must not decide.
    return RULES.model_copy(update={"canaries": canaries, "slower": 1000.0})


@pytest.fixture
def model(tmp_path):
    def make(name, **mistakes):
        write_tiny_model(tmp_path / name, name=name, **mistakes)
        return tmp_path / name

    return make


def frozen(name="set", repeat=20, ids=range(9)):
    texts = [f"{KEYWORDS[i]} {n}" for i in ids for n in range(repeat)]
    return FrozenSet(name, labelled(texts, np.repeat(list(ids), repeat), "person"))


def failed(verdict):
    return {check.name for check in verdict.checks if not check.passed}


def test_a_better_model_may_serve(model, rules):
    verdict = judge(model("new"), model("old", mistakes={1: 2}), [frozen()], rules)
    assert verdict.passed, verdict.reasons
    assert "better in 100.0%" in verdict.reasons[0]


def test_a_worse_model_is_refused_with_every_reason(model, rules):
    verdict = judge(model("new", mistakes={1: 2}), model("old"), [frozen()], rules)
    assert {"better", "floor of footwear", "canaries"} <= failed(verdict)
    assert any("floor of footwear: F1 0.000, before 1.000" in r for r in verdict.reasons)


def test_the_same_model_is_not_better(model, rules):
    assert "better" in failed(judge(model("a"), model("b"), [frozen()], rules))


def test_a_better_mean_does_not_buy_a_category(model, rules):
    """Footwear is lost and two larger categories are gained."""
    sets = [frozen(repeat=60, ids=[0, 2]), frozen("shoes", repeat=12, ids=[1])]
    old = model("old", mistakes={0: 3, 2: 4})
    verdict = judge(model("new", mistakes={1: 5}), old, sets, rules)
    assert next(c for c in verdict.checks if c.name == "better").passed
    assert {"floor of footwear", "not worse on shoes"} <= failed(verdict)


def test_a_lost_canary_is_named(model, rules):
    sets = [frozen(ids=range(8))]
    old = model("old", mistakes={0: 3})
    verdict = judge(model("new", mistakes={8: 2}), old, sets, rules)
    assert failed(verdict) == {"canaries"}
    assert "«доставка»" in verdict.reasons[0]


def test_a_canary_that_was_never_right_may_stay_wrong(model, rules):
    old = model("old", mistakes={0: 3, 8: 2})
    assert judge(model("new", mistakes={8: 2}), old, [frozen(ids=range(8))], rules).passed


def test_a_damaged_candidate_is_refused_before_anything_else(model, rules):
    new = model("new")
    (new / "model.onnx").write_bytes(b"x")
    verdict = judge(new, model("old"), [frozen()], rules)
    assert failed(verdict) == {"loads"}
    assert "damaged" in verdict.reasons[0]


def test_a_damaged_serving_model_is_an_error_and_no_reason_to_promote(model, rules):
    old = model("old")
    (old / "model.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match="damaged"):
        judge(model("new"), old, [frozen()], rules)


def test_the_first_model_needs_nothing_to_be_compared_with(model, rules):
    assert judge(model("new"), None, [frozen()], rules).passed


def test_a_first_model_that_guesses_is_refused(model, rules):
    everything_is_kids = dict.fromkeys(range(9), 5)
    verdict = judge(model("new", mistakes=everything_is_kids), None, [frozen()], rules)
    assert {"canaries", "precision of what is published"} <= failed(verdict)


def findings(published=0.8, precision=0.97, ece=0.02, f1=0.9):
    interval = {"value": f1, "low": f1 - 0.02, "high": f1 + 0.02}
    return FrozenScores(
        weighted_f1=interval,
        macro_f1=f1,
        accuracy=f1,
        published=published,
        precision=precision,
        calibration_error=ece,
    )


def checked(candidate, serving, categories=()):
    one = SetFindings(
        name="set",
        rows=100,
        digest="",
        candidate=candidate,
        serving=serving,
        difference={"value": 0.01, "low": 0.001, "high": 0.02},
        p_better=0.99,
    )
    return {c.name for c in metric_checks([one], categories, RULES) if not c.passed}


def test_less_precision_of_what_is_published_is_refused():
    assert checked(findings(precision=0.92), findings()) == {"precision of what is published"}


def test_a_reckless_serving_model_sets_no_higher_standard_than_its_own():
    assert checked(findings(precision=0.90), findings(precision=0.91)) == set()


def test_a_model_that_publishes_far_less_is_refused():
    assert checked(findings(published=0.6), findings()) == {"share that is published"}


def test_a_cautious_model_may_follow_a_reckless_one():
    assert checked(findings(published=0.3), findings(precision=0.7)) == set()


def test_confidence_that_cannot_be_believed_is_refused():
    assert checked(findings(ece=0.15), findings()) == {"calibration"}


def test_a_category_with_few_reviews_is_not_judged_by_itself():
    rare = CategoryFindings(category="kids", rows=3, candidate_f1=0.0, serving_f1=1.0)
    assert checked(findings(), findings(), [rare]) == set()


@pytest.mark.parametrize(
    ("speed", "refused"),
    [
        ({"candidate_ms": 2.0}, {"speed"}),
        ({"candidate_bytes": 2_000_000}, {"size"}),
        ({"candidate_ms": 0.04, "serving_ms": 0.01}, set()),  # quick enough for anything
        ({}, set()),
    ],
)
def test_time_and_size_have_a_budget(speed, refused):
    same = {"candidate_ms": 1.0, "serving_ms": 1.0}
    sizes = {"candidate_bytes": 1_000_000, "serving_bytes": 1_000_000, "warm_up_ms": 1.0}
    checks = budget_checks(Speed(**(same | sizes | speed)), RULES)
    assert {c.name for c in checks if not c.passed} == refused


def test_an_empty_frozen_set_is_named(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text,category\n")
    with pytest.raises(DataError, match=r"mine\.csv holds no labelled review"):
        read_frozen([path])


def test_our_canaries_cover_every_category_and_are_in_no_example_file():
    canaries = read_labelled(MARKETPLACE / CANARIES)
    assert {row.category for row in canaries} == set(all_categories())
    (ours,) = read_frozen([])
    assert not {row.item.normalized for row in canaries} & set(ours.rows.normalized)


def test_the_report_is_written_as_page_markdown_and_json(model, rules, tmp_path):
    verdict = judge(model("new", mistakes={1: 2}), model("old"), [frozen()], rules)
    page = write_report(verdict, tmp_path / "report")
    assert "is refused" in page.read_text()
    assert json.loads((page.parent / "gate.json").read_text())["checks"]
    assert "| FAILED | floor of footwear" in (page.parent / "gate.md").read_text()


def test_the_report_escapes_what_strangers_wrote(model, rules, tmp_path):
    hostile = "<script>alert(1)</script> | x"
    sets = [FrozenSet(hostile, frozen().rows)]
    verdict = judge(model("new"), model("old", mistakes={1: 2}), sets, rules)
    assert "<script>" not in as_html(verdict)
    assert "\\| x" in as_markdown(verdict)
