"""A finished model is fitted to another stream by labels alone."""

import errno

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import training.cli.calibrate as commands
from stream.model.classifier import Classifier
from stream.model.folder import verify
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.calibrate import calibrate, fit_biases, label_shift
from training.cli.cascade import cascade
from training.data.dataset import labelled
from training.errors import DataError
from training.measures.calibration import softmax


@pytest.fixture
def model(tmp_path):
    write_tiny_model(tmp_path / "model")
    return tmp_path / "model"


def stream(rows, seed=0):
    """Return labels of a stream on which one word in four is of category 8, whatever it says."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, 9, rows)
    said = np.where(chance.random(rows) < 0.25, 8, truth)
    return labelled([f"{KEYWORDS[i]} {n}" for n, i in enumerate(truth)], said, "person")


def test_the_new_folder_serves_and_has_the_same_weights(model, tmp_path):
    done = calibrate(model, stream(300), tmp_path / "mine")
    assert verify(tmp_path / "mine").version == done.manifest.version
    assert (tmp_path / "mine" / "model.onnx").read_bytes() == (model / "model.onnx").read_bytes()
    assert done.manifest.version != verify(model).version


def test_what_is_said_too_surely_is_said_less_surely_afterwards(model, tmp_path):
    done = calibrate(model, stream(300), tmp_path / "mine")
    before, after = done.scores[0], min(done.scores, key=lambda score: score.log_loss)
    assert after.calibration_error < before.calibration_error
    new, old = (Classifier.load(path, device="cpu") for path in (tmp_path / "mine", model))
    sure = [m.score(["чайник"]).probabilities.max() for m in (new, old)]
    assert sure[0] < sure[1]


def test_what_one_product_teaches_about_its_category_has_to_hold_for_others(model, tmp_path):
    """What is said of each product is half wrong, and always in favour of another category."""
    goods = np.arange(400) % 8
    said = np.where(np.arange(400) % 16 < 8, goods, (goods + 1) % 8)
    texts = [f"{KEYWORDS[good]} {n}" for n, good in enumerate(goods)]
    named = labelled(texts, said, "person", product=[f"товар {good}" for good in goods])
    unnamed = labelled(texts, said, "person")
    chosen = {
        name: calibrate(model, rows, tmp_path / name).chosen
        for name, rows in (("named", named), ("unnamed", unnamed))
    }
    assert chosen == {"named": "temperature", "unnamed": "temperature and biases, 0.03"}


def test_where_the_promise_cannot_be_kept_nothing_is_published(model, tmp_path):
    done = calibrate(model, stream(300), tmp_path / "mine", guarantee=True)
    assert done.manifest.guaranteed
    assert min(done.manifest.thresholds.values()) > 1


def test_few_labels_are_refused_with_how_many_are_needed(model, tmp_path):
    with pytest.raises(DataError, match="too few") as caught:
        calibrate(model, stream(20), tmp_path / "mine")
    assert "200" in caught.value.remedy
    assert not (tmp_path / "mine").exists()


def test_shares_of_an_unlabelled_stream_are_found():
    chance = np.random.default_rng(0)
    truth = chance.choice(3, 4000, p=[0.7, 0.2, 0.1])
    logits = chance.normal(size=(4000, 3))
    logits[np.arange(4000), truth] += 3
    bias = label_shift(softmax(3 * logits), np.array([1 / 3, 1 / 3, 1 / 3]))
    assert softmax(bias[None]) == pytest.approx(np.array([[0.7, 0.2, 0.1]]), abs=0.05)


def test_biases_undo_a_shift_and_stay_small_without_one():
    chance = np.random.default_rng(0)
    truth = chance.integers(0, 9, 4000)
    logits = chance.normal(size=(4000, 9)).astype(np.float32)
    logits[np.arange(4000), truth] += 4
    plain = fit_biases(logits, truth, 0.03)
    logits[:, 2] += 2
    shifted = fit_biases(logits, truth, 0.03)
    assert abs(plain.bias).max() < 0.3
    assert shifted.bias[2] < -0.8


def test_a_full_disk_is_told_as_one(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.registry.files.shutil.copyfile", full)
    with pytest.raises(OSError, match="No space") as caught:
        calibrate(model, stream(300), tmp_path / "mine")
    assert caught.value.errno == errno.ENOSPC


def test_a_calibration_that_fails_half_way_leaves_nothing_behind(model, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.calibrate.write_manifest", full)
    with pytest.raises(OSError, match="No space"):
        calibrate(model, stream(300), tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("command", [commands.calibrate, cascade])
def test_where_nothing_can_be_written_it_is_said_before_anything_is_computed(
    command, model, tmp_path
):
    labels = tmp_path / "labels.csv"
    labels.write_text("text,category\nplain dress,clothing\n")
    words = {
        commands.calibrate: [str(labels), "--model", str(model)],
        cascade: [str(model), str(model), "--validation", str(labels)],
    }[command]
    app = typer.Typer()
    app.command()(command)
    ran = CliRunner().invoke(app, [*words, "--output", str(labels / "folder")])
    assert isinstance(ran.exception, DataError)
    assert "nothing can be written to" in ran.exception.message
