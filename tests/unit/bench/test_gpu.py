"""The benchmark of a GPU, with ONNX Runtime's CPU provider in the GPU's place."""

import numpy as np
import onnxruntime as ort
import pytest

from stream.bench import gpu, roofline
from stream.bench.encoder_graph import BASE, EncoderShape, write_encoder
from stream.errors import ReviewsError
from tests.support.tiny_model import write_tiny_model

TINY = EncoderShape("tiny", layers=2, width=32, heads=4, inner=64)


@pytest.fixture
def folder(tmp_path):
    write_tiny_model(tmp_path)
    return tmp_path


@pytest.fixture
def cpu_as_gpu(monkeypatch):
    monkeypatch.setattr("stream.model.inference.CUDA", "CPUExecutionProvider")
    monkeypatch.setattr(roofline, "GPU_SIDE", 64)
    monkeypatch.setattr(gpu, "sample_of", list)  # two thousand are for a GPU


def logits_of(path, rows, mask):
    session = ort.InferenceSession(str(path))
    feed = {"input_ids": np.array(rows), "attention_mask": np.array(mask)}
    return session.run(["logits"], feed)[0]


def test_a_made_up_encoder_reads_what_the_mask_shows_and_no_padding(tmp_path):
    path = tmp_path / "graph.onnx"
    write_encoder(path, TINY, "fp32", vocabulary=50, positions=16, categories=9)
    short = logits_of(path, [[2, 7, 3]], [[1, 1, 1]])
    padded = logits_of(path, [[2, 7, 3, 9, 9], [2, 8, 5, 6, 3]], [[1, 1, 1, 0, 0], [1] * 5])
    assert short.shape == (1, 9)
    assert short.dtype == np.float32
    np.testing.assert_allclose(padded[0], short[0], atol=1e-6)
    assert np.abs(padded[1] - short[0]).max() > 1e-4


def test_half_precision_answers_as_single_does(tmp_path):
    rows, mask = [[2, 7, 11, 13, 3]], [[1] * 5]
    answers = []
    for precision in ("fp32", "fp16"):
        path = tmp_path / f"{precision}.onnx"
        write_encoder(path, TINY, precision, vocabulary=50, positions=16, categories=9)
        answers.append(logits_of(path, rows, mask))
    np.testing.assert_allclose(answers[0], answers[1], atol=5e-3)


def test_the_operations_of_bert_base_are_those_of_its_85_million_weights():
    weights = 12 * (4 * 768**2 + 2 * 768 * 3072)
    attention = 12 * 2 * 64 * 768
    assert BASE.operations(64) == 2 * 64 * (weights + attention)


def test_every_way_is_measured_each_round_beside_the_cpu(folder, cpu_as_gpu):
    (report,) = gpu.bench_gpu(folder, ["хорошая куртка", "чайник"], 2, [TINY], device="cpu")
    assert report.baseline == "CPU, fp32"
    assert all(len(figure.rounds) == 2 and min(figure.rounds) > 0 for figure in report.figures)
    shares = {figure.name: figure.note for figure in report.figures}
    assert not shares.pop("CPU, fp32")
    assert all(share.endswith("of the peak") for share in shares.values())


def test_without_a_gpu_nothing_is_measured_and_the_error_says_what_one_needs(folder):
    with pytest.raises(ReviewsError, match="no GPU") as raised:
        gpu.bench_gpu(folder, ["чайник"], 1)
    assert "deployment.md" in raised.value.remedy
