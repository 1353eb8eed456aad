"""What is recorded in MLflow, what never is, and what happens where it cannot be."""

import sys

import numpy as np
import pytest
from mlflow import MlflowClient

from stream.errors import ConfigError, ExtraMissing
from stream.settings import TrackingSettings, load_settings
from training.comparison.candidates import family_candidates
from training.comparison.compare import compare
from training.comparison.report import write_report
from training.data.dataset import labelled
from training.encoders.encoder import load_encoder
from training.export.folder import FolderOptions
from training.pretraining.checkpoint import pretrain_to
from training.pretraining.mlm import PretrainConfig
from training.tracking import open_tracker
from training.tracking.records import (
    add_pretraining,
    add_report,
    add_run,
    add_training,
    comparison_record,
    pretraining_record,
    training_record,
)
from training.tracking.tracker import RunRecord, Tracker
from training.train import train_family


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("training.comparison.table.RESAMPLES", 20)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "records"


@pytest.fixture
def tracker(folder):
    return open_tracker(TrackingSettings(uri=str(folder)), pytest.fail)


@pytest.fixture
def recorded(folder):
    """Return all runs, the first first."""

    def runs():
        client = MlflowClient(folder.as_uri())
        experiment = client.get_experiment_by_name("reviews")
        return client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])

    return runs


def _files(folder, run):
    return {file.path for file in MlflowClient(folder.as_uri()).list_artifacts(run.info.run_id)}


def _losses(folder, run):
    history = MlflowClient(folder.as_uri()).get_metric_history(run.info.run_id, "loss")
    return [(point.step, point.value) for point in history]


@pytest.fixture
def trained(tracker, recorded, reviews, quick, tmp_path):
    with tracker.run(training_record("bert", quick)) as run:
        manifest = train_family(
            "bert", reviews, tmp_path / "model", quick, options=FolderOptions("tiny")
        )
        add_training(run, tmp_path / "model", manifest)
    return manifest, recorded()[0]


def test_a_training_is_recorded_with_options_losses_scores_and_lineage(trained, folder, reviews):
    manifest, run = trained
    assert run.info.status == "FINISHED"
    assert run.data.params["epochs"] == "6"
    assert run.data.params["tricks.r_drop"] == "0.0"
    assert [epoch for epoch, _ in _losses(folder, run)] == [1, 2, 3, 4, 5, 6]
    assert run.data.metrics["weighted_f1"] == manifest.metrics["weighted_f1"]
    tags = run.data.tags
    assert (tags["family"], tags["seed"]) == ("bert", "0")
    assert tags["data.training"] == reviews.digest
    assert {"version.torch", "version.python", "version.reviews-stream"} <= set(tags)
    assert _files(folder, run) == {"training.json", "README.md", "manifest.json"}


def test_no_text_and_no_path_is_in_the_record_of_a_training(trained, folder, reviews, quick):
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [text for text in reviews.texts if text.encode() in content]
    assert str(quick.encoder).encode() not in content


def test_a_pretraining_is_recorded_without_its_vocabulary(
    tracker, recorded, folder, reviews, tiny_encoder, tmp_path
):
    config = PretrainConfig(epochs=2, batch_size=16, max_length=16, device="cpu")
    with tracker.run(pretraining_record(len(reviews), config)) as run:
        losses = pretrain_to(
            tmp_path / "encoder", load_encoder(tiny_encoder), reviews.normalized, config
        )
        add_pretraining(run, tmp_path / "encoder")
    (found,) = recorded()
    assert [loss for _, loss in _losses(folder, found)] == pytest.approx(losses, abs=1e-5)
    assert found.data.params["masked"] == "0.2"
    assert _files(folder, found) == {"pretraining.json"}


@pytest.fixture
def compared(folder, reviews, quick, tmp_path):
    """Compare two families with two seeds and keep records, as often as wanted."""
    tests = {"проба 1": reviews.take(np.arange(0, len(reviews), 6)), "two": reviews.take([0, 9])}
    candidates = family_candidates(["majority", "lstm"], quick.model_copy(update={"epochs": 2}))

    def run(*, texts=False):
        tracker = open_tracker(TrackingSettings(uri=str(folder), texts=texts), pytest.fail)
        with tracker.run(comparison_record("families", candidates, reviews, tests, 2)) as kept:

            def keep(candidate, config, run, key):
                add_run(tracker, kept, candidate, config, run, key, tests)

            runs = compare(candidates, reviews, tests, [0, 1], tmp_path / "work", finished=keep)
            write_report(tmp_path / "report", candidates, runs, reviews, tests)
            add_report(kept, tmp_path / "report", page=tracker.pages)

    return run


@pytest.mark.slow
def test_a_comparison_holds_a_run_of_each_candidate_and_seed(compared, recorded, folder):
    compared()
    runs = {run.info.run_name: run for run in recorded()}
    whole = runs.pop("compare families")
    assert set(runs) == {"majority, seed 0", "majority, seed 1", "lstm, seed 0", "lstm, seed 1"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {whole.info.run_id}
    lstm = runs["lstm, seed 1"]
    assert lstm.data.params["seed"] == "1"
    assert len(_losses(folder, lstm)) == 2
    assert {"проба 1/weighted_f1", "two/macro_f1"} <= set(lstm.data.metrics)


@pytest.mark.slow
def test_the_page_that_holds_texts_is_sent_only_if_that_was_asked_for(compared, recorded, folder):
    compared()
    (whole,) = [run for run in recorded() if run.info.run_name == "compare families"]
    assert {"table.md", "comparison.json", "f1.png"} <= _files(folder, whole)
    assert "index.html" not in _files(folder, whole)
    compared(texts=True)
    assert "index.html" in _files(folder, whole)


@pytest.mark.slow
def test_a_comparison_that_goes_on_is_recorded_once(compared, recorded):
    compared()
    compared()
    assert [run.info.status for run in recorded()] == ["FINISHED"] * 5


def test_how_the_work_ended_is_recorded(tracker, recorded):
    for name, error in (("stopped", KeyboardInterrupt), ("broken", ValueError)):
        with pytest.raises(error), tracker.run(RunRecord(name)):
            raise error
    found = {run.info.run_name: run.info.status for run in recorded()}
    assert found == {"stopped": "KILLED", "broken": "FAILED"}


class FailingStore:
    """Takes so many calls, and fails from then on."""

    address = "http://tracking.example"

    def __init__(self, good):
        self.left = good
        self.calls = 0

    def _call(self, *_):
        self.calls += 1
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("https://ada:secret@tracking.example is in maintenance")
        return "a run"

    begin = holds = add = attach = end = _call


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_store_that_fails_costs_one_line_and_is_left_alone(good):
    said, store = [], FailingStore(good)
    tracker = Tracker(store, said.append)
    with tracker.run(RunRecord("train bert")) as run:
        run.losses([0.5])
        run.scores({"weighted_f1": 0.9})
    assert not tracker.holds("another")
    assert len(said) == 1
    assert "the work goes on" in said[0]
    assert "secret" not in said[0]
    assert store.calls == good + 1


def test_without_the_extra_one_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "training.tracking.store", raising=False)
    with pytest.raises(ExtraMissing) as refused:
        open_tracker(TrackingSettings(uri=str(folder)), pytest.fail)
    assert "pip install 'reviews-stream[mlflow]'" in refused.value.remedy


def test_an_address_that_cannot_be_written_to_is_refused_at_once_without_its_password():
    settings = TrackingSettings(uri="postgresql://ada:secret@host/mlflow")
    with pytest.raises(ConfigError, match="postgresql://host/mlflow") as refused:
        open_tracker(settings, pytest.fail)
    assert "secret" not in refused.value.message


def test_an_address_that_is_set_for_other_work_starts_no_record(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "others"))
    with open_tracker(load_settings().tracking, pytest.fail).run(RunRecord("train bert")) as run:
        assert not run.run
    assert not (tmp_path / "others").exists()


def test_a_name_that_the_server_would_refuse_is_made_fit(tracker, recorded):
    rows = labelled(["чайник"], [0], "person")
    with tracker.run(RunRecord("train", {"a(b)": 1})) as run:
        run.scores({"gold [2]/weighted_f1": float(len(rows))})
    assert recorded()[0].data.metrics == {"gold _2_/weighted_f1": 1.0}
