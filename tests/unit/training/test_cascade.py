"""Two finished models become one of two stages, and what it promises is promised of the whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from stream.errors import InputError, ModelError
from stream.model.classifier import Classifier
from stream.model.folder import read_manifest, verify, write_manifest
from stream.text import short_fingerprint
from tests.support.tiny_cascade import write_tiny_cascade
from tests.support.tiny_model import KEYWORDS, write_tiny_model
from training.calibrate import calibrate
from training.cascade import MadeCascade, StageFigures, keep_thresholds, make_cascade
from training.cli.cascade import cascade
from training.data.dataset import labelled
from training.errors import DataError
from training.measures.calibration import NEVER


def stream(rows, seed=0, wrong=0.02):
    """Return labels of which some are of the last category, whatever the keyword says.

    It stands there once or twice, so that the models are more or less sure.
    """
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, 9, rows)
    said = np.where(chance.random(rows) < wrong, 8, truth)
    texts = [f"{KEYWORDS[i]} {KEYWORDS[i] if n % 2 else ''} {n}" for n, i in enumerate(truth)]
    return labelled(texts, said, "person")


@pytest.fixture
def stages(tmp_path):
    """The first takes boots for a dress, and is as sure of it as of all else."""
    write_tiny_model(tmp_path / "cheap", mistakes={1: 2})
    write_tiny_model(tmp_path / "exact")
    return tmp_path / "cheap", tmp_path / "exact"


def probabilities_of(confidence, best):
    found = np.full((len(best), 9), 0.0)
    found[:] = ((1 - np.asarray(confidence)) / 8)[:, None]
    found[np.arange(len(best)), best] = confidence
    return found


def test_a_stage_that_is_always_right_keeps_all_that_it_is_half_sure_of():
    confidence = np.linspace(0.3, 0.99, 180)
    truth = np.repeat(np.arange(9), 20)
    keep = keep_thresholds(
        probabilities_of(confidence, truth), truth, truth, 0.95, 0.0, guarantee=False
    )
    assert (keep <= 0.5).all()


def test_above_the_thresholds_nothing_is_lost_that_the_exact_model_had_right():
    chance = np.random.default_rng(5)
    truth = chance.integers(0, 9, 900)
    confidence = np.round(chance.uniform(0.4, 1.0, 900), 3)
    # The surer, the more often right: 30% wrong at 0.4, and still some wrong near the top.
    best = np.where(chance.random(900) < 0.5 * (1 - confidence) + 0.01, (truth + 1) % 9, truth)
    probabilities = probabilities_of(confidence, best)
    for loss in (0.0, 0.01):
        keep = keep_thresholds(probabilities, truth, truth, 0.9, loss, guarantee=False)
        kept = confidence >= keep[best]
        assert (kept & (best != truth)).sum() <= loss * len(truth)
        assert kept.any()


def test_what_both_models_have_wrong_is_not_lost():
    truth = np.zeros(200, dtype=np.int64)
    wrong = np.full(200, 3)
    confidence = np.linspace(0.5, 1.0, 200)
    keep = keep_thresholds(
        probabilities_of(confidence, wrong), wrong, truth, 0.9, 0.0, guarantee=False
    )
    assert keep[3] >= NEVER, (
        "no precision is kept, so nothing is, and not for the exact model's sake"
    )


def test_the_first_stage_decides_only_where_it_is_as_right_as_the_exact_model(stages, tmp_path):
    made = make_cascade(*stages, stream(1400), tmp_path / "both", precision=0.9)
    model = Classifier.load(tmp_path / "both", device="cpu")
    found = model.score([f"{word} {word}" for word in KEYWORDS])
    assert found.probabilities.argmax(axis=1).tolist() == list(range(9))
    by_first = dict(zip(KEYWORDS, found.inference.by_first.tolist(), strict=True))
    assert not by_first["сапоги"], "it takes them for a dress"
    assert sum(by_first.values()) >= 6
    first, last, both = made.stages
    assert both.accuracy == last.accuracy > first.accuracy
    assert first.share + last.share == pytest.approx(1.0)


def test_version_promise_and_card_are_of_the_whole(stages, tmp_path):
    made = make_cascade(*stages, stream(1400), tmp_path / "both", precision=0.9, guarantee=True)
    manifest = verify(tmp_path / "both")
    versions = {manifest.version, *(read_manifest(stage).version for stage in stages)}
    assert manifest == made.manifest
    assert len(versions) == 3
    assert (manifest.family, manifest.guaranteed) == ("bert+bert", True)
    judged = sum(p.rows for p in manifest.promises.values())
    assert judged == manifest.metrics["held_out_rows"] == pytest.approx(700, abs=20)
    assert 0 < manifest.metrics["first_stage_share"] < 1
    card = (tmp_path / "both" / "README.md").read_text(encoding="utf-8")
    for section in ("the first stage decides from", "## Decisions", "## The last stage by itself"):
        assert section in card
    assert "### Tiny model" not in card
    assert "## Tiny model" in card


def test_the_files_of_the_exact_model_stay_what_they_are_so_that_it_is_still_a_base(
    stages, tmp_path
):
    (stages[1] / "model.safetensors").write_bytes(b"weights")
    write_manifest(stages[1], read_manifest(stages[1]))
    make_cascade(*stages, stream(400), tmp_path / "both")
    for name in ("model.onnx", "tokenizer.json", "model.safetensors"):
        assert (tmp_path / "both" / name).read_bytes() == (stages[1] / name).read_bytes()
    assert (tmp_path / "both" / "first.onnx").read_bytes() == (
        stages[0] / "model.onnx"
    ).read_bytes()


def test_of_labels_that_the_exact_model_had_learned_no_bolder_threshold_is_concluded(
    stages, tmp_path
):
    rows = stream(400)
    marks = [short_fingerprint(text) for text in rows.normalized]
    (stages[1] / "config.json").write_text("{}")
    np.save(stages[1] / "known.npy", np.array(marks, dtype=np.uint64))
    own = write_manifest(stages[1], read_manifest(stages[1]))
    made = make_cascade(*stages, rows, tmp_path / "both", precision=0.6).manifest
    assert made.metrics["rows_known_to_the_base"] == pytest.approx(200, abs=20)
    assert made.temperature == own.temperature
    assert all(made.thresholds[slug] >= own.thresholds[slug] for slug in own.thresholds)


def test_a_cascade_can_be_calibrated_to_another_stream(stages, tmp_path):
    make_cascade(*stages, stream(400), tmp_path / "both")
    calibrate(tmp_path / "both", stream(300, seed=1, wrong=0.25), tmp_path / "mine")
    before, after = (
        Classifier.load(tmp_path / name, device="cpu").score(list(KEYWORDS))
        for name in ("both", "mine")
    )
    assert before.inference.by_first.tolist() == after.inference.by_first.tolist()
    assert after.probabilities[:, 8].sum() > before.probabilities[:, 8].sum()


def test_a_stage_that_has_two_is_refused(stages, tmp_path):
    write_tiny_cascade(tmp_path / "two")
    with pytest.raises(ModelError, match="two stages already"):
        make_cascade(stages[0], tmp_path / "two", stream(400), tmp_path / "both")
    assert not (tmp_path / "both").exists()


def asked(cheap, exact, folder):
    """Run the command on one labelled row."""
    (folder / "labels.csv").write_text("text,category\nplain dress,clothing\n")
    command = typer.Typer()
    command.command()(cascade)
    words = [str(cheap), str(exact), "--validation", str(folder / "labels.csv")]
    return CliRunner().invoke(command, [*words, "--output", str(folder / "both")])


def test_a_model_before_itself_is_refused(stages, tmp_path):
    ran = asked(stages[1], stages[1], tmp_path)
    assert isinstance(ran.exception, InputError)
    assert "are one model" in ran.exception.message
    assert "cheaper" in ran.exception.remedy


@pytest.mark.parametrize(("both_ms", "said_so"), [(1.1, True), (0.4, False)])
def test_a_first_stage_that_costs_more_than_it_saves_is_said(
    stages, tmp_path, monkeypatch, both_ms, said_so
):
    first = StageFigures("first", share=0.0, accuracy=1.0, weighted_f1=1.0, cpu_ms=0.1)
    figures = (first, replace(first, cpu_ms=1.0), replace(first, cpu_ms=both_ms))
    made = MadeCascade(read_manifest(stages[1]), figures)
    monkeypatch.setattr("training.cascade.make_cascade", lambda *_, **__: made)
    notes = []
    monkeypatch.setattr("training.cli.cascade.note", notes.append)
    ran = asked(*stages, tmp_path)
    assert ran.exit_code == 0, ran.output
    assert any("Serve the exact model" in note for note in notes) is said_so


def test_a_stage_that_biases_fit_to_another_stream_is_refused(stages, tmp_path):
    path = stages[1]
    write_manifest(path, read_manifest(path).model_copy(update={"bias": {"clothing": 0.5}}))
    with pytest.raises(ModelError, match="biases"):
        make_cascade(*stages, stream(400), tmp_path / "both")


def test_few_labels_are_refused_with_how_many_are_needed(stages, tmp_path):
    with pytest.raises(DataError, match="too few") as caught:
        make_cascade(*stages, stream(199), tmp_path / "both")
    assert "200" in caught.value.remedy


def test_labels_of_one_category_are_refused_as_they_say_nothing_of_the_others(stages, tmp_path):
    rows = stream(4000)
    with pytest.raises(DataError, match="of one category, clothing"):
        make_cascade(*stages, rows.take(rows.categories == 2), tmp_path / "both")


def test_a_folder_that_an_older_version_wrote_has_no_first_stage(tmp_path):
    write_tiny_model(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["first_stage"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert verify(tmp_path).first_stage is None
