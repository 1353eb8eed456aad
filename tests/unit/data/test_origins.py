"""Guesses are never measured as truth: whose label it is, is known from the file to the card."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from schemas import DecidedBy
from stream.model.folder import Manifest
from stream.settings import GateSettings
from training.data.dataset import (
    join,
    labelled,
    read_dataset,
    read_labelled_dataset,
    read_test_dataset,
    trusted,
)
from training.data.files import read_labelled, read_validated
from training.data.origins import FACTS, ORIGINS, Origin
from training.data.unstated import Unstated
from training.errors import DataError
from training.export.card import model_card
from training.export.parity import Graphs
from training.fit.config import TrainConfig
from training.gate.frozen import FrozenSet, read_frozen
from training.gate.metrics import compare
from training.gate.verdict import GateVerdict, ModelName
from training.measures.held_out import HeldOut
from training.measures.rule import fit_rule, not_said
from training.retrain.assemble import WEIGHT

# What each may be used for: decided by a person, measured on, a text of the stream. Whoever adds an
# origin says it here too.
USES = {
    "person": (True, True, True),
    "validated": (False, True, True),
    "read": (False, True, True),
    "written": (False, True, False),
    "ensemble": (False, False, True),
    "pool": (False, False, True),
    "unsure": (False, False, True),
    "llm": (False, False, True),
    "model": (False, False, True),
    "distilled": (False, False, False),
    "synthetic": (False, False, False),
}
every_origin = pytest.mark.parametrize("origin", Origin)


def test_every_origin_is_classified():
    assert {str(o): (o.by_person, o.may_measure, o.of_the_stream) for o in Origin} == USES
    assert set(FACTS) == set(Origin)
    assert len({origin.description for origin in Origin}) == len(USES)


def test_whoever_may_decide_on_a_topic_is_an_origin_and_has_a_weight_in_retraining():
    assert set(get_args(DecidedBy)) <= set(ORIGINS)
    assert {str(origin) for origin in WEIGHT} == set(get_args(DecidedBy))


def test_what_a_person_decided_may_be_measured_on_and_what_may_not_is_no_person_s():
    assert all(origin.may_measure for origin in Origin if origin.by_person)


def write(path, **columns):
    path.write_text(json.dumps({"text": "чайник", "category_id": 0, **columns}), encoding="utf-8")
    return path


@every_origin
@pytest.mark.parametrize("column", ["origin", "decided_by"])
def test_a_file_carries_it_into_the_dataset_and_back(origin, column, tmp_path):
    dataset = read_labelled_dataset(write(tmp_path / "a.jsonl", **{column: origin.value}))
    # What a labelling run calls validated is what a person's file gave it.
    renamed = column == "decided_by" and origin is Origin.VALIDATED
    assert dataset.origin == [Origin.PERSON if renamed else origin]
    dataset.write(tmp_path / "dataset.jsonl")
    assert read_dataset(tmp_path / "dataset.jsonl").origin == dataset.origin


@every_origin
def test_only_what_may_be_measured_on_is_read_as_a_test_or_frozen_set(origin, tmp_path):
    path = write(tmp_path / "a.jsonl", origin=origin.value)
    for read in (read_test_dataset, lambda p: read_frozen([p])[0].rows):
        if origin.may_measure:
            assert read(path).origin == [origin]
        else:
            with pytest.raises(DataError, match=r"programs guessed.*1 " + origin):
                read(path)


@every_origin
def test_only_people_s_labels_calibrate_an_ensemble(origin, tmp_path):
    path = write(tmp_path / "a.jsonl", origin=origin.value)
    if origin.by_person:
        assert [row.origin for row in read_validated(path)] == [origin]
    else:
        with pytest.raises(DataError, match=f"1 {origin}"):
            read_validated(path)


@every_origin
def test_a_file_that_does_not_say_it_is_taken_as_one_says_and_that_is_told(origin, tmp_path):
    told = []
    dataset = read_labelled_dataset(write(tmp_path / "a.jsonl"), Unstated(origin, told.append))
    assert dataset.origin == [origin]
    (line,) = [line for line in told if "who decided" in line]
    assert "does not say who decided 1 of its labels" in line
    assert f"`{origin}`" in line


def test_of_a_file_that_says_it_nothing_is_assumed(tmp_path):
    told = []
    path = write(tmp_path / "a.jsonl", decided_by="llm")
    assert read_labelled_dataset(path, Unstated(Origin.PERSON, told.append)).origin == ["llm"]
    assert not [line for line in told if "who decided" in line]


@pytest.mark.parametrize(
    ("columns", "origin"),
    [
        ({"decided_by": "rules"}, "ensemble"),
        ({"decided_by": "agreement"}, "ensemble"),
        ({"decided_by": "qwen2-7b-instruct"}, "ensemble"),
        ({"decided_by": "qwen2-7b-instruct", "origin": "llm"}, "llm"),
        ({"decided_by": "validated"}, "person"),
        # Nobody was sure, and somebody filled the category in.
        ({"decided_by": "people"}, "person"),
        ({"decided_by": "person", "id": "synthetic-1"}, "synthetic"),
    ],
)
def test_what_a_labelling_run_says_of_itself_is_understood(columns, origin, tmp_path):
    (row,) = read_labelled(write(tmp_path / "a.jsonl", **columns))
    assert row.origin == origin


def test_a_misspelt_origin_is_refused_and_not_taken_for_a_person_s(tmp_path):
    with pytest.raises(DataError, match="'persn'"):
        read_labelled(write(tmp_path / "a.jsonl", origin="persn"))
    row = {"text": "a", "probabilities": [1.0] + [0.0] * 8, "weight": 1.0, "origin": "base:train"}
    (tmp_path / "dataset.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(DataError, match="'base:train'"):
        read_dataset(tmp_path / "dataset.jsonl")


def some(origin, count, category=0):
    return labelled([f"{origin} {n}" for n in range(count)], [category] * count, origin)


@every_origin
def test_guesses_are_not_measured_on_however_few_other_rows_there_are(origin):
    both = join(some("person", 3), some(origin, 50))
    assert trusted(both)[3:].all() == origin.may_measure
    assert trusted(both)[:3].all()


def test_where_people_decided_enough_their_labels_alone_are_measured_on():
    mask = trusted(join(some("person", 200), some("read", 50), some("written", 50)))
    assert mask.tolist() == [True] * 200 + [False] * 100


def card(held):
    rule = fit_rule(held, 0.95, 0.0)
    manifest = Manifest.model_construct(
        name="m",
        family="bert",
        created_at="now",
        code_version="1",
        max_length=8,
        training_digest="d" * 16,
        temperature=rule.temperature,
        thresholds={},
        metrics=rule.metrics,
    )
    text = model_card(manifest, held.rows, held, TrainConfig(), 1, Graphs("static", {}))
    return " ".join(text.split()), rule


def right(rows):
    return HeldOut(rows, np.eye(9, dtype=np.float32)[rows.categories] * 9)


@every_origin
def test_the_card_describes_it_and_says_whether_people_decided(origin):
    said, rule = card(right(some(origin, 60)))
    assert f"60 {origin}" in said
    assert f"`{origin}` rows {origin.description}" in said
    assert ("No person decided any" in said) != origin.by_person
    assert rule.metrics["held_out_rows_by_people"] == (60 if origin.by_person else 0)


def test_the_card_of_a_mixture_counts_people_s_labels():
    said, _ = card(right(join(some("person", 40), some("read", 20))))
    assert "40 person, 20 read" in said
    assert "People decided 40 of these 60" in said


def test_of_two_rows_no_figure_is_published_and_that_is_said():
    said, rule = card(right(join(some("person", 1, 0), some("person", 1, 2))))
    assert rule.metrics == {"held_out_rows": 2.0, "held_out_rows_by_people": 2.0}
    assert rule.temperature == 1.0
    assert "How good it is cannot be said: 2 labelled reviews were held out" in said


def test_of_a_model_that_publishes_hardly_anything_no_precision_is_published():
    rows = some("person", 100)
    logits = np.zeros((100, 9), dtype=np.float32)
    logits[:, 1] = 1.0  # always wrong: it is never sure
    rule = fit_rule(HeldOut(rows, logits), 0.95, 0.0)
    assert "published_precision" not in rule.metrics
    assert rule.metrics["published_coverage"] == 0.0
    (sentence,) = not_said(rule.metrics)
    assert "0 of 100 held-out reviews were sure enough" in sentence


class Always:
    """A model that gives every review one category, surely."""

    def classify(self, texts):
        probabilities = np.eye(9, dtype=np.float32)[[0] * len(texts)]
        return SimpleNamespace(probabilities=probabilities, sure=np.ones(len(texts), bool))


def test_the_gate_says_how_many_of_its_labels_people_decided():
    rules = GateSettings(resamples=100)
    sets = [FrozenSet("people", some("person", 40)), FrozenSet("examples", some("written", 60))]
    found, _ = compare(Always(), Always(), sets, rules)
    assert [(one.by_people, dict(one.labels)) for one in found] == [
        (40, {"person": 40}),
        (0, {"written": 60}),
        (40, {"written": 60, "person": 40}),
    ]
    name = ModelName(version="v", name="n")
    verdict = GateVerdict(
        at=datetime.now(UTC),
        candidate=name,
        serving=name,
        checks=(),
        sets=tuple(found),
        rules=rules,
    )
    assert "people decided 40 of the 100 labels" in verdict.reasons[-1]
