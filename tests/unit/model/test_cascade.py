"""Two stages are one model: the first decides what it keeps, the last one everything else."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream.errors import ModelError
from stream.model.cascade import ModelCascade, PassOn
from stream.model.classifier import Classifier
from stream.model.folder import graph_bytes, read_manifest, verify, write_manifest
from stream.model.stage import Inference
from tests.support.tiny_cascade import write_tiny_cascade
from tests.support.tiny_model import KEYWORDS

LOGITS = st.floats(-30, 30, width=32)
ROWS = st.integers(1, 12).flatmap(
    lambda rows: st.tuples(*(arrays(np.float32, (rows, 9), elements=LOGITS) for _ in range(2)))
)
# The first stage takes boots for a dress: that tells who decided.
MISTAKEN = {1: 2}


class Fixed:
    """Stands where a stage would: answers each text, which is a row's number, by a table."""

    def __init__(self, table):
        self._table = table
        self.asked = []

    def infer(self, texts):
        self.asked += texts
        logits = self._table[[int(text) for text in texts]]
        none = np.zeros(len(texts), dtype=np.bool_)
        return Inference(logits, none, [3] * len(texts), [0] * len(texts), 0.5, 1.0, 4)


def cascade_of(first, last, keep, scale=1.0):
    thresholds = np.full(9, keep, dtype=np.float32)
    return ModelCascade(Fixed(first), PassOn(1.0, thresholds, scale), Fixed(last))


def texts_of(table):
    return [str(row) for row in range(len(table))]


@given(ROWS)
def test_with_thresholds_above_one_it_is_the_last_stage_alone(tables):
    first, last = tables
    found = cascade_of(first, last, 1.01).infer(texts_of(first))
    assert np.array_equal(found.logits, last)
    assert not found.by_first.any()


@given(ROWS, st.floats(0.1, 4.0))
def test_with_thresholds_of_zero_it_is_the_first_stage_and_the_last_one_is_never_asked(
    tables, scale
):
    first, last = tables
    cascade = cascade_of(first, last, 0.0, scale)
    found = cascade.infer(texts_of(first))
    assert np.array_equal(found.logits, first * np.float32(scale))
    assert found.by_first.all()
    assert cascade.last.asked == []


@given(ROWS, st.floats(0.0, 1.0))
def test_each_row_is_one_stages_and_the_last_one_sees_only_its_own(tables, keep):
    first, last = tables
    cascade = cascade_of(first, last, keep)
    found = cascade.infer(texts_of(first))
    assert np.array_equal(found.logits, np.where(found.by_first[:, None], first, last))
    assert cascade.last.asked == [str(row) for row in np.flatnonzero(~found.by_first)]


@given(ROWS, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2))
def test_a_higher_threshold_never_keeps_more(tables, keeps):
    low, high = (
        cascade_of(*tables, keep).infer(texts_of(tables[0])).by_first for keep in sorted(keeps)
    )
    assert not (high & ~low).any()


def test_what_is_no_number_is_passed_on():
    first = np.full((1, 9), np.nan, dtype=np.float32)
    last = np.arange(9, dtype=np.float32)[None]
    assert np.array_equal(cascade_of(first, last, 0.0).infer(["0"]).logits, last)


def test_time_and_computed_pieces_are_those_of_both_stages():
    first, last = np.zeros((2, 9), np.float32), np.ones((2, 9), np.float32)
    found = cascade_of(first, last, 1.01).infer(["0", "1"])
    assert (found.tokenize_seconds, found.inference_seconds, found.padded_tokens) == (1.0, 2.0, 8)
    assert found.tokens == [3, 3]


@pytest.fixture
def folder(tmp_path):
    write_tiny_cascade(tmp_path / "model", mistakes=MISTAKEN)
    return tmp_path / "model"


def edit(folder, **changes):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["first_stage"] |= changes
    path.write_text(json.dumps(manifest))


def test_a_folder_of_two_stages_loads_as_one_model(folder):
    model = Classifier.load(folder, device="cpu")
    scores = model.score([KEYWORDS[1], "непонятно"])
    assert model.version == verify(folder).version
    assert scores.inference.by_first.tolist() == [True, False]
    assert scores.probabilities[0].argmax() == MISTAKEN[1]


def test_a_single_stage_says_of_no_row_that_a_first_one_decided_it(tmp_path):
    manifest = write_tiny_cascade(tmp_path)
    write_manifest(tmp_path, manifest.model_copy(update={"first_stage": None}))
    model = Classifier.load(tmp_path, device="cpu")
    assert not model.cascaded
    assert not model.score(list(KEYWORDS)).inference.by_first.any()


@pytest.mark.parametrize("name", ["first.onnx", "first.tokenizer.json"])
def test_a_missing_file_of_the_first_stage_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match="absent"):
        Classifier.load(folder)


def test_a_first_stage_that_computes_something_else_fails_the_self_test(folder):
    edit(folder, self_test=[{"text": "платье", "logits": [9.0] + [0.0] * 8}])
    with pytest.raises(ModelError, match=r"the first stage of model .* fails its self-test"):
        Classifier.load(folder)


def test_a_first_stage_of_another_text_preprocessing_is_refused(folder):
    edit(folder, text_version=99)
    with pytest.raises(ModelError, match="preprocessing"):
        Classifier.load(folder)


def test_what_the_first_stage_keeps_is_part_of_the_version(folder):
    edit(folder, keep=dict.fromkeys(verify(folder).thresholds, 0.1))
    with pytest.raises(ModelError, match="changed without the version"):
        Classifier.load(folder)


def test_a_first_stage_without_a_threshold_for_a_category_is_refused(folder):
    edit(folder, keep={"clothing": 0.9})
    with pytest.raises(ModelError, match="does not say when to keep") as caught:
        verify(folder)
    assert "restore the folder" in caught.value.remedy


def test_a_first_stage_that_keeps_a_category_of_another_model_is_refused(folder):
    edit(folder, keep=dict.fromkeys(verify(folder).thresholds, 0.9) | {"boats": 0.9})
    with pytest.raises(ModelError, match="keeps boats, which the model does not know"):
        verify(folder)


@pytest.mark.parametrize("name", ["first.onnx", "first.tokenizer.json"])
def test_a_manifest_that_does_not_list_the_first_stage_says_what_to_do(folder, name):
    (folder / name).unlink()
    write_manifest(folder, read_manifest(folder))
    with pytest.raises(ModelError, match=f"does not list {name}") as caught:
        verify(folder)
    assert "restore the folder" in caught.value.remedy


def test_the_size_of_a_model_counts_both_graphs(folder):
    manifest = verify(folder)
    sizes = [(folder / name).stat().st_size for name in ("model.onnx", "first.onnx")]
    assert graph_bytes(folder, manifest) == sum(sizes)
