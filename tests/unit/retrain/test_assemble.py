"""From labels to a training set: nothing that models are compared on is ever trained on."""

from types import SimpleNamespace

import numpy as np
import pytest

from schemas import Category, Label, category_count
from stream.queue.label_topic import ReadLabels
from training.cli.retrain import _print_lineage
from training.data.dataset import labelled
from training.gate.frozen import FrozenSet
from training.retrain.assemble import PEOPLE, WEIGHT, assemble, read_base

NOTHING = labelled([], [], "written")


def label(i, text=None, category=Category("footwear"), by="person"):
    return Label(
        review_id=f"r{i}",
        text=text or f"сапоги номер {i}",
        category=category,
        decided_by=by,
        labeller=by,
        codebook_version="1",
    )


def made(labels, base=(), frozen=(), share=0.0):
    return assemble(ReadLabels(list(labels), {0: len(labels)}), "labels", base, frozen, share)


def test_a_text_of_a_frozen_set_is_not_trained_on_however_it_is_written():
    frozen = FrozenSet("set", labelled(["сапоги  НОМЕР 1"], [1], "person"))
    found = made([label(1), label(2)], frozen=[frozen])
    assert found.training.texts == ["сапоги номер 2"]
    assert found.lineage.labels.in_frozen_sets == 1


def test_a_decision_replaces_the_base_row_of_the_same_text():
    base = [("base", labelled(["сапоги номер 1", "платье"], [5, 2], "written"))]
    found = made([label(1)], base=base)
    rows = dict(zip(found.training.texts, found.training.categories, strict=True))
    assert rows == {"сапоги номер 1": Category("footwear").id, "платье": 2}


def test_people_s_held_out_texts_become_a_frozen_set_and_are_never_trained_on():
    found = made([label(i) for i in range(200)], share=0.2)
    (people,) = found.frozen
    assert people.name == PEOPLE
    assert not set(people.rows.texts) & set(found.training.texts)
    assert len(people.rows) + len(found.training) == 200
    assert 20 < len(people.rows) < 60


def test_a_text_that_is_held_out_stays_so_when_more_labels_come():
    first = made([label(i) for i in range(100)], share=0.2).frozen[0].rows.texts
    later = made([label(i) for i in range(300)], share=0.2).frozen[0].rows.texts
    assert set(first) <= set(later)


def test_only_people_s_labels_are_held_out():
    found = made([label(i, by="ensemble") for i in range(100)], share=0.5)
    assert found.frozen == []
    assert len(found.training) == 100


@pytest.mark.parametrize("by", ["person", "ensemble", "llm"])
def test_a_row_weighs_as_much_as_its_source_is_trusted(by):
    assert made([label(1, by=by)]).training.weight == pytest.approx([WEIGHT[by]])


def test_equals_who_differ_share_a_text():
    said = [label(1, "одно и то же"), label(2, "Одно и то же", Category("kids"))]
    found = made(said)
    expected = np.zeros(category_count())
    expected[[Category("footwear").id, Category("kids").id]] = 0.5
    assert found.training.probabilities == pytest.approx(expected[None, :])
    assert (found.lineage.labels.same_text, found.lineage.labels.contradicted) == (1, 1)


def test_a_person_overrules_an_llm_on_another_review_of_the_same_text():
    found = made([label(1, "одно"), label(2, "одно", Category("kids"), "llm")])
    assert found.training.categories.tolist() == [Category("footwear").id]


def test_the_same_labels_make_the_same_digest_in_any_order():
    labels = [label(i) for i in range(20)]
    assert made(labels).lineage.digest == made(labels[::-1]).lineage.digest


def test_a_dataset_of_an_earlier_run_can_be_a_base(tmp_path):
    rows = made([label(1, by="llm")]).training
    rows.write(tmp_path / "dataset.jsonl")
    ((name, again),) = read_base([tmp_path / "dataset.jsonl"])
    assert (name, again.digest) == ("dataset", rows.digest)


def test_a_generated_review_is_never_held_out_to_compare_on_whoever_decided_it():
    generated = [
        Label(**{**label(i).model_dump(), "review_id": f"synthetic-footwear-{i}"})
        for i in range(40)
    ]
    real = [label(i, f"ботинки номер {i}") for i in range(40)]
    found = made([*generated, *real], share=0.5)
    (people,) = found.frozen
    assert all(text.startswith("ботинки") for text in people.rows.texts)
    assert sum(text.startswith("сапоги") for text in found.training.texts) == 40


def test_it_is_said_how_many_messages_were_no_labels(capsys):
    read = ReadLabels([label(1)], {0: 4}, unreadable=3)
    lineage = assemble(read, "labels", [], [], 0.0).lineage
    _print_lineage(SimpleNamespace(lineage=lineage))
    (left_out,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("left out")]
    assert "unreadable 3" in left_out
