"""Eight-bit graphs: which one is served, and what a static one promises."""

import numpy as np
import onnx
import pytest

from training.errors import TrainingError
from training.export import cpu_graph
from training.export.cpu_graph import SINGLE, Sample, write_cpu_graph
from training.export.graph import export_graph
from training.export.parity import Parity, graph_logits
from training.export.quantise import quantise_dynamic
from training.export.static import CalibrationTexts, activation_ranges, fix_scales
from training.export.vectorise import vectorise
from training.fit.config import TrainConfig
from training.train import fit_family

pytestmark = pytest.mark.slow

MEASURING = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul"}


@pytest.fixture(scope="module")
def trained(reviews, by_heart, tmp_path_factory):
    """A model that knows its reviews, its graph in single precision, and the reviews' word pieces."""
    model = fit_family("bert", reviews, by_heart)
    full = tmp_path_factory.mktemp("graphs") / "full.onnx"
    export_graph(model, full)
    return model, full, model.encoder.tokenize(reviews.normalized, model.max_length)


@pytest.fixture
def sample(trained):
    model, _, ids = trained
    return Sample(ids, model.logits_of(ids), ids[::2], model.encoder.pad_id)


def kinds(graph):
    return {node.op_type for node in onnx.load(str(graph)).graph.node}


def static_graph(full, target, ids, pad_id):
    quantise_dynamic(full, target, seven_bits=True)
    vectorise(target)
    fix_scales(target, activation_ranges(full, ids, pad_id))


def apart_from_company(graph, ids, pad_id):
    """Return how far the logits of reviews that come alone are from those in one batch."""
    together = graph_logits(graph, ids, pad_id, 1)
    alone = np.concatenate([graph_logits(graph, [row], pad_id, 1) for row in ids])
    return float(np.abs(together - alone).max())


def test_a_static_graph_names_the_modules_categories(trained, sample, tmp_path):
    _, full, ids = trained
    static_graph(full, tmp_path / "static.onnx", ids[1::2], sample.pad_id)
    assert sample.parity(tmp_path / "static.onnx").agreement == 1.0


def test_a_static_graph_measures_nothing_while_it_serves(trained, sample, tmp_path):
    _, full, ids = trained
    static_graph(full, tmp_path / "static.onnx", ids, sample.pad_id)
    assert kinds(tmp_path / "static.onnx").isdisjoint(MEASURING)


def test_a_reviews_logits_do_not_depend_on_its_company_in_a_static_graph(trained, sample, tmp_path):
    _, full, ids = trained
    static_graph(full, tmp_path / "static.onnx", ids, sample.pad_id)
    quantise_dynamic(full, tmp_path / "dynamic.onnx", seven_bits=True)
    moved = apart_from_company(tmp_path / "dynamic.onnx", ids, sample.pad_id)
    # Not nothing: a value that lies between two steps may fall to either side.
    assert apart_from_company(tmp_path / "static.onnx", ids, sample.pad_id) < moved / 4


def test_a_value_that_no_text_reached_is_read_as_the_greatest_one(trained, sample, tmp_path):
    _, full, ids = trained
    ranges = activation_ranges(full, ids, sample.pad_id)
    narrow = {name: (low / 4, high / 4) for name, (low, high) in ranges.items()}
    quantise_dynamic(full, tmp_path / "narrow.onnx", seven_bits=True)
    fix_scales(tmp_path / "narrow.onnx", narrow)
    found = graph_logits(tmp_path / "narrow.onnx", ids, sample.pad_id)
    assert np.isfinite(found).all()
    assert Parity.of(sample.wanted, found).largest > sample.parity(full).largest + 0.1


def test_what_has_no_range_stays_dynamic(trained, tmp_path):
    _, full, _ = trained
    quantise_dynamic(full, tmp_path / "graph.onnx", seven_bits=True)
    before = kinds(tmp_path / "graph.onnx")
    fix_scales(tmp_path / "graph.onnx", {})
    assert kinds(tmp_path / "graph.onnx") == before


def test_graphs_are_not_judged_by_the_texts_that_scales_are_fitted_to(
    trained, reviews, monkeypatch
):
    monkeypatch.setattr(cpu_graph, "PARITY_TEXTS", 18)
    sample = Sample.of(trained[0], reviews.normalized)
    judging, fitting = ({tuple(row) for row in rows} for rows in (sample.ids, sample.calibration))
    assert len(judging) == 18
    assert len(fitting) == len(reviews) - 18
    assert judging.isdisjoint(fitting)


def test_calibration_reads_every_text_once_and_padded_at_its_end():
    texts = CalibrationTexts([[2, 7, 7, 3], [2, 3]] * 20, pad_id=0)
    batches = list(iter(texts.get_next, None))
    rows = [row for batch in batches for row in batch["input_ids"].tolist()]
    assert sorted([piece for piece in row if piece] for row in rows) == sorted(
        [[2, 7, 7, 3], [2, 3]] * 20
    )
    assert all((b["attention_mask"] == (b["input_ids"] != 0)).all() for b in batches)


def test_an_lstm_behind_bert_has_eight_bit_weights_too(reviews, quick, tmp_path):
    model = fit_family("bert-lstm", reviews, quick.model_copy(update={"epochs": 1}))
    export_graph(model, tmp_path / "full.onnx")
    quantise_dynamic(tmp_path / "full.onnx", tmp_path / "graph.onnx", seven_bits=True)
    assert "DynamicQuantizeLSTM" in kinds(tmp_path / "graph.onnx")


@pytest.mark.parametrize(
    ("quantise", "name", "measures"),
    [
        ("auto", "static seven-bit", False),
        ("static", "static seven-bit", False),
        ("dynamic", "dynamic seven-bit", True),
        ("none", SINGLE, False),
    ],
)
def test_the_way_that_was_asked_for_is_taken(quantise, name, measures, trained, sample, tmp_path):
    chosen = write_cpu_graph(trained[1], tmp_path / "model.onnx", sample, quantise)
    assert chosen.name == name
    assert bool(kinds(tmp_path / "model.onnx") & MEASURING) is measures


def test_graphs_that_lose_categories_are_tried_in_order_and_single_precision_is_served(
    trained, sample, tmp_path, monkeypatch
):
    monkeypatch.setattr(cpu_graph, "LEAST_AGREEMENT", 1.1)
    chosen = write_cpu_graph(trained[1], tmp_path / "model.onnx", sample, "auto")
    assert list(chosen.tried) == [
        "static seven-bit",
        "static eight-bit",
        "dynamic seven-bit",
        "dynamic eight-bit",
        SINGLE,
    ]
    assert sample.parity(tmp_path / "model.onnx").largest < 1e-3


def test_a_way_that_loses_categories_is_refused_where_it_was_asked_for(
    trained, sample, tmp_path, monkeypatch
):
    monkeypatch.setattr(cpu_graph, "LEAST_AGREEMENT", 1.1)
    with pytest.raises(TrainingError, match="no static eight-bit graph") as refused:
        write_cpu_graph(trained[1], tmp_path / "model.onnx", sample, "static")
    assert "--quantise auto" in refused.value.remedy


def test_how_a_model_is_quantised_makes_no_other_training_of_it():
    assert TrainConfig(quantise="static").deciding() == TrainConfig().deciding()
