"""Audits in the gate: a weighted sample of what the serving model published, answered by both models."""

import numpy as np
import pytest

from schemas import Category, all_categories
from stream.model.folder import read_manifest
from stream.settings import GateSettings
from tests.support.labels import label
from tests.support.queue import task
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.data.dataset import labelled
from training.gate.frozen import FrozenSet
from training.gate.judge import judge
from training.gate.report import as_html, as_markdown
from training.retrain.audits import audited_stream

BOOTS, DRESSES = Category("footwear").id, Category("clothing").id
CHECK = "precision on audits"


@pytest.fixture
def rules():
    # A tiny model takes microseconds: how busy the machine is must not decide.
    return GateSettings(resamples=50, slower=1000.0, audit_support=20)


@pytest.fixture
def model(tmp_path):
    def make(name, **more):
        write_tiny_model(tmp_path / name, name=name, **more)
        return tmp_path / name

    return make


def audits(folder, *parts):
    """Return audits of a model; each part is the word of its texts, what people said, chance, number."""
    version = read_manifest(folder).version
    questions, labels = [], {}
    for word, said, chance, number in parts:
        for _ in range(number):
            i = len(questions)
            text = f"{KEYWORDS[word]} {i}"
            asked = task(i, text, all_categories()[word], 0.98, reason="audit", audit_share=chance)
            questions.append(asked.model_copy(update={"model_version": version}))
            decided = label(all_categories()[said], review_id=f"r{i}", shown_blind=True)
            labels[f"r{i}"] = decided.model_copy(update={"text": text})
    return audited_stream(questions, labels, version)


def judged(new, old, stream, rules, frozen):
    return judge(new, old, [frozen], rules, audits=stream)


def check_of(verdict):
    return next((check for check in verdict.checks if check.name == CHECK), None)


@pytest.fixture
def frozen():
    texts = [f"{word} {n}" for word in KEYWORDS for n in range(20)]
    return FrozenSet("set", labelled(texts, np.repeat(range(len(KEYWORDS)), 20), "person"))


def test_each_audit_weighs_one_over_the_chance_by_which_it_was_drawn(model, rules, frozen):
    """Of 1,000 published as footwear all are right, of 100 as clothing none is."""
    old, new = model("old"), model("new", mistakes={DRESSES: BOOTS})
    stream = audits(old, (BOOTS, BOOTS, 0.05, 50), (DRESSES, BOOTS, 0.5, 50))
    found = judged(new, old, stream, rules, frozen).audits
    assert found.as_published.precision == pytest.approx(1000 / 1100)
    assert found.serving.precision == pytest.approx(1000 / 1100)
    assert found.candidate.precision == pytest.approx(1.0)
    assert (found.serving.published, found.candidate.published) == (1.0, 1.0)
    assert found.effective < found.decided == 100


def test_a_candidate_that_errs_in_what_is_published_is_refused_by_audits(model, rules, frozen):
    old, new = model("old"), model("new", mistakes={BOOTS: DRESSES})
    verdict = judged(new, old, audits(old, (BOOTS, BOOTS, 0.1, 60)), rules, frozen)
    assert not check_of(verdict).passed
    assert any(reason.startswith(CHECK) for reason in verdict.reasons)


def test_a_candidate_that_asks_instead_is_not_refused_by_audits(model, rules, frozen):
    """All audits were published by the serving model: of shares they are no fair judge."""
    old, unsure = model("old"), model("new", sure_logit=1.0)
    verdict = judged(unsure, old, audits(old, (BOOTS, BOOTS, 0.1, 60)), rules, frozen)
    assert verdict.audits.candidate.published == 0.0
    assert check_of(verdict).passed


def test_a_slip_that_chance_explains_refuses_nobody(model, rules, frozen):
    old, new = model("old"), model("new", mistakes={DRESSES: BOOTS})
    stream = audits(old, (BOOTS, BOOTS, 0.1, 57), (DRESSES, DRESSES, 0.1, 5))
    verdict = judged(new, old, stream, rules, frozen)
    assert verdict.audits.candidate.precision == pytest.approx(57 / 62)
    assert check_of(verdict).passed


def test_too_few_audits_are_counted_and_judge_nobody(model, rules, frozen):
    old, new = model("old"), model("new", mistakes={BOOTS: DRESSES})
    verdict = judged(new, old, audits(old, (BOOTS, BOOTS, 0.1, 19)), rules, frozen)
    assert check_of(verdict) is None
    assert any("19 of 19" in caution and "worth 19" in caution for caution in verdict.cautions)


def test_without_any_audit_the_gate_says_so_and_judges_as_before(model, rules, frozen):
    old = model("old", mistakes={BOOTS: DRESSES})
    verdict = judged(model("new"), old, audits(old), rules, frozen)
    assert verdict.passed, verdict.reasons
    assert any("0 of 0" in caution for caution in verdict.cautions)


def test_audits_of_another_model_judge_nobody(model, rules, frozen):
    old, other = model("old"), model("other", mistakes={3: 4})
    stream = audits(other, (BOOTS, BOOTS, 0.1, 60))
    assert judged(model("new"), old, stream, rules, frozen).audits is None


def test_the_report_shows_both_models_on_audits_and_what_audits_cannot_tell(model, rules, frozen):
    old = model("old", mistakes={3: 4})
    verdict = judged(model("new"), old, audits(old, (BOOTS, BOOTS, 0.1, 60)), rules, frozen)
    for report in (as_markdown(verdict), as_html(verdict)):
        assert "60 audits of what" in report
        assert "would publish besides is in none of them" in report
