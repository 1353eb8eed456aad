"""A model folder that is not what it says is refused."""

import contextlib
import json

import pytest

from schemas import all_categories
from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.folder import verify, write_manifest
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def folder(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


def edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_sound_folder_loads_and_passes_its_self_test(folder):
    assert Classifier.load(folder).version == verify(folder).version


def test_an_absent_folder_says_how_to_name_one(tmp_path):
    with pytest.raises(ModelError) as caught:
        Classifier.load(tmp_path / "nowhere")
    assert "REVIEWS_MODEL__FOLDER" in caught.value.remedy


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="damaged"):
        Classifier.load(folder)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match="absent"):
        Classifier.load(folder)


def test_a_manifest_that_is_not_json_is_refused(folder):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Classifier.load(folder)


def test_a_manifest_that_points_outside_its_folder_is_refused(folder):
    files = json.loads((folder / "manifest.json").read_text())["files"]
    edit(folder, files=files | {"../evil": "0"})
    with pytest.raises(ModelError, match="outside"):
        Classifier.load(folder)


def test_another_text_preprocessing_is_refused(folder):
    edit(folder, text_version=99)
    with pytest.raises(ModelError, match="preprocessing"):
        Classifier.load(folder)


def test_a_model_that_computes_something_else_fails_its_self_test(folder):
    edit(folder, self_test=[{"text": "платье", "logits": [9.0] + [0.0] * 8}])
    with pytest.raises(ModelError, match="self-test"):
        Classifier.load(folder)


@pytest.mark.parametrize(("lead", "sound"), [(0.01, True), (0.3, False)])
def test_another_category_fails_the_self_test_unless_it_was_a_tie(folder, lead, sound):
    model = Classifier.load(folder)
    logits = [float(x) for x in model.infer(["непонятно"]).logits[0]]
    order = sorted(range(len(logits)), key=logits.__getitem__)
    logits[order[-2]] = logits[order[-1]] + lead
    edit(folder, self_test=[{"text": "непонятно", "logits": logits}])
    refused = contextlib.nullcontext() if sound else pytest.raises(ModelError, match="self-test")
    with refused:
        Classifier.load(folder)


def test_a_changed_threshold_is_a_changed_version(tmp_path):
    before = write_tiny_model(tmp_path)
    stricter = before.model_copy(update={"thresholds": dict.fromkeys(all_categories(), 0.99)})
    assert write_manifest(tmp_path, stricter).version != before.version


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("value", [NAN, INFINITE, -1e308])
@pytest.mark.parametrize("entry", ["bias", "thresholds", "temperature", "asked_precision"])
def test_a_rule_that_decides_nothing_or_everything_is_refused(folder, entry, value):
    """With a bias of NaN every review became a task of JSON that no reader could parse."""
    each = dict.fromkeys(all_categories(), value)
    edit(folder, **{entry: each if entry in {"bias", "thresholds"} else value})
    with pytest.raises(ModelError, match="cannot be read"):
        verify(folder)


def test_a_bias_of_no_category_is_refused(folder):
    edit(folder, bias={"no-such": 1.0})
    with pytest.raises(ModelError, match="bias of no category: no-such"):
        verify(folder)


def test_a_threshold_that_was_changed_without_the_version_is_refused(folder):
    """Else answers of the former rule stand in the cache under the same version."""
    edit(folder, thresholds=dict.fromkeys(all_categories(), 0.1))
    with pytest.raises(ModelError, match="changed without the version"):
        Classifier.load(folder)
