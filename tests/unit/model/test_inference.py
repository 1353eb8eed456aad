"""Where a graph runs, and what a GPU's path does to a batch; on the CPU, for want of a GPU.

ONNX Runtime's provider is the only part that is put in the GPU's place: binding, padding to buckets and
the choice of the graph are the code that a GPU runs.
"""

import shutil
import sys

import numpy as np
import pytest
from structlog.testing import capture_logs

from stream.errors import ModelError
from stream.model.classifier import Classifier
from stream.model.inference import CudaGraph, OnnxGraph, bucketed, open_graph
from tests.support.tiny_model import KEYWORDS, write_tiny_model


@pytest.fixture
def folder(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


@pytest.fixture
def with_gpu_graph(folder):
    shutil.copyfile(folder / "model.onnx", folder / "model.fp16.onnx")
    return folder


@pytest.fixture
def gpu(monkeypatch):
    """Let ONNX Runtime's CPU provider stand for the one of a GPU."""
    monkeypatch.setattr("stream.model.inference.CUDA", "CPUExecutionProvider")


@pytest.fixture
def broken_gpu(monkeypatch):
    """A build of ONNX Runtime for a GPU, without driver or libraries."""
    monkeypatch.setattr("stream.model.inference.gpu_available", lambda: True)


def test_without_a_gpu_auto_is_the_cpu_and_says_nothing(with_gpu_graph):
    with capture_logs() as said:
        assert open_graph(with_gpu_graph, "auto", 1, 64).device == "cpu"
    assert not said


def test_auto_takes_the_gpu_where_there_is_a_graph_for_one(with_gpu_graph, gpu):
    assert open_graph(with_gpu_graph, "auto", 1, 64).device == "cuda"


def test_auto_stays_on_the_cpu_with_a_model_that_has_no_graph_for_a_gpu(folder, gpu):
    with capture_logs() as said:
        assert open_graph(folder, "auto", 1, 64).device == "cpu"
    (line,) = said
    assert line["event"] == "gpu_not_usable"
    assert "model.fp16.onnx" in line["reason"]


def test_a_gpu_that_was_demanded_runs_the_other_graph_and_warns(folder, gpu):
    with capture_logs() as said:
        assert open_graph(folder, "cuda", 1, 64).device == "cuda"
    assert [line["event"] for line in said] == ["slow_on_gpu"]


def test_auto_falls_back_from_a_gpu_that_does_not_work_with_one_line(with_gpu_graph, broken_gpu):
    with capture_logs() as said:
        assert open_graph(with_gpu_graph, "auto", 1, 64).device == "cpu"
    assert [(line["event"], line["going_on_with"]) for line in said] == [("gpu_not_usable", "cpu")]


def test_a_gpu_that_was_demanded_and_does_not_work_is_an_error(with_gpu_graph, broken_gpu):
    with pytest.raises(ModelError, match="no usable GPU"):
        open_graph(with_gpu_graph, "cuda", 1, 64)


def test_looking_for_a_gpu_writes_nothing_to_standard_output(with_gpu_graph, capfd, monkeypatch):
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: sys.stdout.write("Failed to load"))
    with pytest.raises(ModelError):
        CudaGraph(with_gpu_graph / "model.fp16.onnx", 1, 64)
    assert not capfd.readouterr().out


def test_a_model_on_the_gpus_path_answers_as_on_the_cpu(with_gpu_graph, gpu):
    texts = [*KEYWORDS, "платье село", "ничего"]
    on_gpu = Classifier.load(with_gpu_graph, device="cuda").classify(texts)
    on_cpu = Classifier.load(with_gpu_graph, device="cpu").classify(texts)
    np.testing.assert_allclose(on_gpu.probabilities, on_cpu.probabilities, atol=1e-6)


def test_lengths_become_few_but_never_longer_than_the_model_reads():
    rows = np.ones((2, 1), dtype=np.int64)
    lengths = [bucketed(np.tile(rows, length), longest=40).shape[1] for length in range(1, 41)]
    assert set(lengths) == {16, 32, 40}
    assert bucketed(np.tile(rows, 5), longest=40)[:, 5:].sum() == 0


def test_a_text_as_long_as_the_model_reads_is_not_padded_beyond_it(with_gpu_graph, gpu):
    seen = []
    graph = CudaGraph(with_gpu_graph / "model.fp16.onnx", 1, longest=20)
    session = graph._session

    class Watched:
        def io_binding(self):
            binding = session.io_binding()
            bind = binding.bind_cpu_input
            binding.bind_cpu_input = lambda name, ids: (seen.append(ids.shape), bind(name, ids))
            return binding

        def run_with_iobinding(self, binding):
            session.run_with_iobinding(binding)

    graph._session = Watched()
    ids = np.full((1, 20), 2, dtype=np.int64)
    graph.run(ids, np.ones_like(ids))
    assert seen == [(1, 20), (1, 20)]


def test_threads_of_the_cpus_graph_are_calls_side_by_side(folder):
    assert OnnxGraph(folder / "model.onnx", 3).parallel_calls == 3
