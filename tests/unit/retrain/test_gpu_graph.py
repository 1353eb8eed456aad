"""A fleet on GPUs keeps a graph for them when its model is trained again."""

import shutil

import pytest

from stream.settings import load_settings
from tests.support.tiny_model import write_tiny_model
from training.fit.config import TrainConfig, silent
from training.registry.store import Registry
from training.retrain.run import _exporting, _has_gpu_graph


@pytest.fixture
def settings(tmp_path):
    write_tiny_model(tmp_path / "started-with")
    return load_settings(
        model={"folder": tmp_path / "started-with"}, learning={"registry": tmp_path / "registry"}
    )


@pytest.fixture
def registry(settings):
    return Registry(settings.learning.registry)


def _with_gpu_graph(folder):
    """Write a model that has a graph for a GPU; the manifest names all files that are there."""
    folder.mkdir()
    (folder / "model.fp16.onnx").touch()
    write_tiny_model(folder)
    shutil.copyfile(folder / "model.onnx", folder / "model.fp16.onnx")
    write_tiny_model(folder)
    return folder


def test_the_champion_decides_and_before_there_is_one_what_workers_start_with(
    settings, registry, tmp_path
):
    assert not _has_gpu_graph(registry, settings)
    record = registry.add(_with_gpu_graph(tmp_path / "for-a-gpu"), why="a test")
    assert not _has_gpu_graph(registry, settings)
    registry.promote(record.number, why="a test")
    assert _has_gpu_graph(registry, settings)


@pytest.mark.parametrize("half_graph", [True, False])
def test_the_successor_is_exported_likewise(half_graph, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("training.train.train_family", lambda *_, options: seen.append(options))
    _exporting(half_graph=half_graph)("bert", None, tmp_path, TrainConfig(), silent)
    assert [options.half_graph for options in seen] == [half_graph]
