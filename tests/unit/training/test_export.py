"""An exported folder serves what was trained, whatever the family."""

import json

import numpy as np
import onnx
import pytest

from stream.model.classifier import Classifier
from stream.model.folder import verify
from training.errors import DataError
from training.export.card import model_card
from training.export.folder import FolderOptions
from training.export.graph import export_graph
from training.export.parity import Graphs, Parity, graph_logits
from training.export.quantise import halve, quantise_dynamic
from training.export.vectorise import vectorise
from training.fit.config import Distillation, TrainConfig
from training.measures.held_out import HeldOut
from training.models.family import FAMILIES
from training.train import fit_family, train_family

pytestmark = pytest.mark.slow

SERVABLE = [name for name, family in FAMILIES.items() if family.servable]


@pytest.mark.parametrize("name", SERVABLE)
def test_the_graph_computes_what_the_module_computes(name, reviews, quick, tmp_path):
    model = fit_family(name, reviews, quick.model_copy(update={"epochs": 1}))
    # One word, and as many as fit: the graph must not have learned the length that it was traced at.
    texts = [*reviews.normalized[::7], "чайник", "чайник сапоги платье " * 9]
    ids = model.encoder.tokenize(texts, model.max_length)
    wanted = model.logits_of(ids)
    export_graph(model, tmp_path / "model.onnx")
    graph = graph_logits(tmp_path / "model.onnx", ids, model.encoder.pad_id)
    np.testing.assert_allclose(graph, wanted, atol=1e-4)


@pytest.mark.parametrize(("quantised", "tolerance"), [(False, 1e-4), (True, 0.1)])
def test_a_vectorised_graph_computes_the_same(quantised, tolerance, reviews, quick, tmp_path):
    model = fit_family("bert", reviews, quick.model_copy(update={"epochs": 1}))
    ids = model.encoder.tokenize([*reviews.normalized[::7], "чайник"], model.max_length)
    graph = tmp_path / "model.onnx"
    export_graph(model, graph)
    if quantised:
        quantise_dynamic(graph, graph, seven_bits=True)
    before = graph_logits(graph, ids, model.encoder.pad_id)
    vectorise(graph)
    after = graph_logits(graph, ids, model.encoder.pad_id)
    np.testing.assert_allclose(after, before, atol=tolerance)


def test_no_node_that_computes_one_number_at_a_time_is_served(exported):
    graph = onnx.load(str(exported[0] / "model.onnx")).graph
    kinds = {node.op_type for node in graph.node}
    assert kinds.isdisjoint({"SkipLayerNormalization", "QEmbedLayerNormalization", "BiasGelu"})
    assert "InstanceNormalization" in kinds


@pytest.fixture(scope="module")
def exported(tmp_path_factory, reviews, by_heart):
    folder = tmp_path_factory.mktemp("exported") / "model"
    config = by_heart.model_copy(update={"precision": 0.8})
    manifest = train_family("bert", reviews, folder, config, options=FolderOptions("tiny", True))
    return folder, manifest


def test_an_exported_folder_passes_the_checks_that_a_worker_makes(exported):
    folder, manifest = exported
    assert verify(folder) == manifest
    assert len(manifest.self_test) == 9
    Classifier.load(folder, device="cpu").self_test()


def test_an_exported_model_knows_what_it_was_taught(exported, reviews):
    found = Classifier.load(exported[0], device="cpu").classify(reviews.normalized)
    assert (found.probabilities.argmax(axis=1) == reviews.categories).mean() > 0.9


def test_the_graph_for_a_gpu_names_the_same_categories(exported, reviews):
    folder, _ = exported
    classifier = Classifier.load(folder, device="cpu")
    ids = classifier.last.tokenize(reviews.normalized).ids
    half = graph_logits(folder / "model.fp16.onnx", ids, 0)
    assert Parity.of(classifier.last.logits(ids)[0], half).agreement > 0.95


def test_the_card_says_how_good_the_model_is_and_where_it_ends(exported):
    folder, manifest = exported
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: ru\n")
    assert f"value: {manifest.metrics['weighted_f1']:g}" in card
    assert "## Limits" in card


def test_the_run_record_names_configuration_versions_and_data_but_no_path(exported, reviews):
    folder, _ = exported
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert record["training_digest"] == reviews.digest
    assert record["config"]["epochs"] == len(record["losses"]) == 8
    assert "torch" in record["versions"]
    assert str(folder.parent) not in json.dumps(record)


def test_the_card_tells_only_what_is_so_of_its_own_data(exported, reviews):
    folder, _ = exported
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`person` rows were decided by people" in card
    assert "Programs and language models" not in card
    assert "composed" not in card
    assert "Learned from few texts, and hardly to be relied on: household-appliances (6)" in card


def test_the_card_names_the_teachers_of_a_distilled_model(exported, reviews):
    _, manifest = exported
    held = HeldOut(reviews, np.zeros((len(reviews), 9), np.float32))
    config = TrainConfig(distillation=Distillation(teachers=("bert", "lstm")))
    card = model_card(manifest, reviews, held, config, 1, Graphs("static seven-bit", {}))
    assert "`bert` and `lstm`, trained on the same texts, labelled further ones" in card


def test_record_and_card_name_the_graph_that_is_served_and_how_close_each_is(exported):
    folder, _ = exported
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert record["cpu_graph"] == "static seven-bit"
    assert record["parity"]["model.onnx"] == record["parity"]["static seven-bit"]
    assert record["parity"]["model.onnx"]["agreement"] >= 0.995
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`model.onnx` is the static seven-bit one" in card
    assert all(f"\n| {name} | " in card for name in record["parity"])


def test_no_training_text_is_in_the_folder(exported, reviews):
    folder, _ = exported
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not any(text.encode() in content for text in reviews.texts), path.name


def test_an_exported_folder_is_a_base_for_its_successor(exported, reviews, quick):
    base = quick.model_copy(update={"encoder": exported[0], "epochs": 1})
    assert fit_family("bert", reviews, base).logits(["чайник"]).shape == (1, 9)


def test_a_folder_that_holds_something_else_is_not_replaced(reviews, quick, tmp_path):
    (tmp_path / "letters.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(DataError, match="no model folder"):
        train_family("bert", reviews, tmp_path, quick)
    assert (tmp_path / "letters.txt").read_text(encoding="utf-8") == "dear"


def test_halving_keeps_the_logits(reviews, quick, tmp_path):
    model = fit_family("lstm", reviews, quick)
    ids = model.encoder.tokenize(reviews.normalized, model.max_length)
    export_graph(model, tmp_path / "full.onnx")
    halve(tmp_path / "full.onnx", tmp_path / "half.onnx")
    found = Parity.of(model.logits_of(ids), graph_logits(tmp_path / "half.onnx", ids, 0))
    assert found.largest < 0.05
