"""Datasets: what goes in comes out, and their digest is their identity."""

import json

import numpy as np
import pytest

from training.data.dataset import (
    Dataset,
    join,
    labelled,
    read_dataset,
    read_rows,
    read_test_dataset,
)
from training.errors import DataError


def _some() -> Dataset:
    soft = np.array([[0.7, 0.3] + [0.0] * 7, [0.0] * 8 + [1.0]], dtype=np.float32)
    weight = np.array([0.5, 1.0], dtype=np.float32)
    return Dataset(["Чайник Ёлка!!!", "доставка"], soft, weight, ["pool", "person"])


def test_a_dataset_survives_its_file(tmp_path):
    digest = _some().write(tmp_path / "rows.jsonl")
    read = read_dataset(tmp_path / "rows.jsonl")
    assert read.texts == _some().texts
    assert read.origin == _some().origin
    np.testing.assert_allclose(read.probabilities, _some().probabilities, atol=1e-5)
    assert read.digest == digest


def test_the_digest_changes_with_a_label():
    relabelled = labelled(["чайник"], [1], "person")
    assert labelled(["чайник"], [0], "person").digest != relabelled.digest


def test_texts_are_seen_by_the_model_as_the_worker_normalises_them():
    assert _some().normalized == ["чайник елка!!", "доставка"]


def test_held_out_texts_are_recognised_however_they_are_written():
    train = labelled(["ЧАЙНИК", "сапоги"], [0, 1], "pool")
    assert train.without_texts_of(labelled(["чайник"], [0], "person")).texts == ["сапоги"]


def test_parts_keep_their_order_and_their_origin():
    both = join(labelled(["чайник"], [0], "written"), _some())
    assert both.origin == ["written", "pool", "person"]
    assert both.categories.tolist() == [0, 0, 8]


def test_labels_that_do_not_fit_the_texts_are_refused():
    with pytest.raises(DataError, match="shape"):
        Dataset(["a"], np.zeros((2, 9), np.float32), np.ones(1, np.float32), ["pool"])


def test_a_file_of_another_shape_is_refused_with_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    _some().write(path)
    path.write_text(path.read_text(encoding="utf-8") + '{"text": "no label"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("label", "weight"),
    [
        ([float("nan")] * 9, 1.0),
        ([0.0] * 9, 1.0),
        ([2.0, -1.0] + [0.0] * 7, 1.0),
        ([0.5, 0.5], 1.0),
        ([1.0] + [0.0] * 8, 0.0),
        ([1.0] + [0.0] * 8, float("nan")),
    ],
)
def test_a_label_that_is_no_distribution_is_refused(label, weight, tmp_path):
    row = {"text": "a", "probabilities": label, "weight": weight, "origin": "person"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(DataError, match="line 1: not a row of a dataset"):
        read_dataset(tmp_path / "rows.jsonl")


def test_labelled_reviews_and_datasets_are_told_apart_by_their_first_line(tmp_path):
    _some().write(tmp_path / "dataset.jsonl")
    (tmp_path / "labels.csv").write_text("text,category_id\nчайник,0\n", encoding="utf-8")
    assert read_rows(tmp_path / "dataset.jsonl").origin == ["pool", "person"]
    assert read_rows(tmp_path / "labels.csv").origin == ["person"]
    with pytest.raises(DataError, match="there is no file"):
        read_rows(tmp_path / "absent.csv")


def test_nothing_is_measured_on_a_file_without_reviews(tmp_path):
    (tmp_path / "empty.csv").write_text("text,category\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no labelled review"):
        read_test_dataset(tmp_path / "empty.csv")
