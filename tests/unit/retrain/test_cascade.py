"""A champion of two stages is followed by a model of two stages."""

import numpy as np
import pytest

from schemas import CategoryInfo, Taxonomy, using
from stream.model.classifier import Classifier
from stream.model.folder import write_manifest
from stream.settings import load_settings
from tests.support.tiny_cascade import write_tiny_cascade
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.data.dataset import labelled
from training.errors import DataError
from training.export.folder import FolderOptions
from training.fit.config import TrainConfig, silent
from training.registry.store import Registry
from training.retrain.cascade import train_cascade
from training.retrain.run import _exporting, _first_family, serving_family

CONFIG = TrainConfig(precision=0.9, device="cpu", threads=1, max_length=16)


def stream(rows):
    words = ("хороший", "плохой", "быстро", "дорого", "вчера", "маме", "снова")
    chance = np.random.default_rng(2)
    texts = [f"{KEYWORDS[n % 9]} {' '.join(chance.choice(words, 3))} {n}" for n in range(rows)]
    return labelled(texts, [n % 9 for n in range(rows)], "person")


def train(rows, folder, config=CONFIG):
    options = FolderOptions(name="loop")
    return train_cascade("static", "static", rows, folder, config, silent, options)


def test_both_stages_and_the_whole_are_made_of_one_dataset(tmp_path):
    rows = stream(700)
    write_tiny_model(tmp_path / "model")  # of an earlier, interrupted run
    manifest = train(rows, tmp_path / "model")
    model = Classifier.load(tmp_path / "model", device="cpu")
    assert model.cascaded
    assert model.version == manifest.version
    assert (manifest.family, manifest.name) == ("static+static", "loop")
    assert manifest.training_digest == rows.digest
    assert manifest.first_stage.training_digest not in {"", rows.digest}, "not of all of them"
    best = model.score(list(KEYWORDS)).probabilities.argmax(axis=1)
    assert (best == np.arange(9)).mean() > 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_with_few_labels_one_stage_is_trained_on_all_of_them(tmp_path):
    rows = stream(500)
    manifest = train(rows, tmp_path / "model")
    assert manifest.first_stage is None
    assert manifest.training_digest == rows.digest


def test_a_promise_that_two_stages_cannot_make_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(DataError, match="no category"):
        train(stream(700), tmp_path / "model", CONFIG.model_copy(update={"foreign_share": 0.1}))


def test_the_champion_decides_and_before_there_is_one_what_workers_start_with(tmp_path):
    write_tiny_cascade(tmp_path / "started-with")
    write_tiny_model(tmp_path / "single")
    settings = load_settings(
        model={"folder": tmp_path / "started-with"}, learning={"registry": tmp_path / "registry"}
    )
    registry = Registry(settings.learning.registry)
    assert _first_family(registry, settings) == "bert"
    registry.promote(registry.add(tmp_path / "single", why="a test").number, why="a test")
    assert _first_family(registry, settings) is None


@pytest.mark.parametrize(
    ("served", "trained"), [("static", "static"), ("static+bert", "bert"), ("bert", "bert")]
)
def test_a_retraining_trains_what_serves_and_of_a_cascade_its_last_stage(tmp_path, served, trained):
    made = write_tiny_model(tmp_path / "model")
    write_manifest(tmp_path / "model", made.model_copy(update={"family": served}))
    settings = load_settings(
        model={"folder": tmp_path / "model"}, learning={"registry": tmp_path / "registry"}
    )
    assert serving_family(settings) == trained


def test_a_retraining_for_other_categories_trains_what_served_the_former_ones(tmp_path):
    write_tiny_model(tmp_path / "model")
    settings = load_settings(
        model={"folder": tmp_path / "model"}, learning={"registry": tmp_path / "registry"}
    )
    two = CategoryInfo(slug="gas"), CategoryInfo(slug="water")
    with using(Taxonomy(name="energy", category=two)):
        assert serving_family(settings) == "bert"


def test_the_successor_is_trained_likewise(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "training.retrain.cascade.train_cascade", lambda *given: seen.append(given[:2])
    )
    _exporting(half_graph=False, first="static")("bert", None, tmp_path, CONFIG, silent)
    assert seen == [("static", "bert")]
