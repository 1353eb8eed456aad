"""The engine: which windows are published when, the backlog, and what page and Prometheus see."""

import json

import pytest
from prometheus_client import generate_latest

from schemas import all_categories
from stream.model.folder import Manifest
from stream.monitor.engine import Engine
from stream.monitor.metrics import MonitorMetrics
from stream.monitor.snapshot import snapshot
from stream.settings import MonitorSettings
from tests.support.summaries import EPOCH, summary
from tests.support.watched_pipeline import watched_engine


def new_engine(**options):
    return Engine(MonitorSettings(**{"grace_seconds": 20} | options), clock=lambda: EPOCH + 900.0)


def closed(engine, kind="tumbling"):
    return [(w.start - EPOCH, w.end - EPOCH) for w in engine.closed_windows() if w.kind == kind]


def test_a_window_closes_when_the_watermark_passes_its_end():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 10))
    assert closed(engine) == []
    engine.apply_batch(0, 1, summary(EPOCH + 79))
    assert closed(engine) == []
    engine.apply_batch(0, 2, summary(EPOCH + 80))
    assert closed(engine) == [(0, 60)]


def test_a_window_is_closed_once():
    engine = new_engine()
    for offset, seconds in enumerate((10, 90)):
        engine.apply_batch(0, offset, summary(EPOCH + seconds))
    for windows in engine.closed_windows():
        engine.published(windows)
    assert engine.closed_windows() == []


def test_hopping_windows_overlap():
    engine = new_engine(hopping_window_seconds=120)
    for offset, seconds in enumerate((10, 70, 130, 220)):
        engine.apply_batch(0, offset, summary(EPOCH + seconds))
    assert closed(engine, "hopping") == [(-60, 60), (0, 120), (60, 180)]


def test_hours_without_reviews_make_no_windows():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 10))
    engine.apply_batch(0, 1, summary(EPOCH + 7200))
    assert closed(engine) == [(0, 60)]


def test_an_open_window_is_told_again_only_when_it_changed():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 10))
    assert {w.kind for w in engine.open_windows()} == {"tumbling", "hopping"}
    assert engine.open_windows() == []
    engine.apply_batch(0, 1, summary(EPOCH + 11))
    assert all(not w.final for w in engine.open_windows())


def test_every_window_names_all_categories():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 10))
    (tumbling,) = [w for w in engine.open_windows() if w.kind == "tumbling"]
    assert [c.category for c in tumbling.categories] == list(all_categories())


def test_a_models_own_reference_is_what_its_drift_is_measured_against(tmp_path):
    folder = write_manifest(tmp_path, mix={"clothing": 1.0})
    engine = Engine(MonitorSettings(), folder)
    engine.apply_batch(0, 0, summary(EPOCH, model="a" * 16))
    assert engine.references.of("a" * 16).origin == "model"
    calm = engine.references.drift(engine.history.window(EPOCH, EPOCH + 10))
    assert calm.mix_js < 0.01


def test_a_mix_unlike_the_reference_shows_as_drift(tmp_path):
    folder = write_manifest(tmp_path, mix={"footwear": 1.0})
    engine = Engine(MonitorSettings(), folder)
    engine.apply_batch(0, 0, summary(EPOCH, model="a" * 16))
    drift = engine.references.drift(engine.history.window(EPOCH, EPOCH + 10))
    assert drift.mix_js == pytest.approx(1.0)
    assert drift.mix_psi > 1


def write_manifest(folder, *, mix):
    histogram = [0] * 20
    histogram[18] = 100
    manifest = Manifest(
        version="a" * 16,
        files={},
        max_length=64,
        temperature=1.0,
        thresholds=dict.fromkeys(all_categories(), 0.5),
        created_at="2026-01-01T00:00:00Z",
        reference={"category_share": mix, "confidence_histogram": histogram},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return folder


def test_a_snapshot_is_plain_json_of_a_bounded_size():
    text = json.dumps(snapshot(watched_engine(60), 6 * 3600), allow_nan=False)
    assert len(text) < 40_000


@pytest.mark.parametrize("span", [900, 3600, 21600])
def test_the_series_of_a_snapshot_hold_every_review_of_their_time(span):
    engine = watched_engine(10, drifting=False)
    shown = snapshot(engine, span)
    counted = sum(sum(layer) for layer in shown["series"]["categories"])
    total = engine.history.total()
    assert counted == total.published + total.relabelled


def test_what_the_first_stage_decided_is_a_share_of_what_was_computed():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 890, published=8, relabelled=3, first_stage=6))
    # One of the eleven came from the cache.
    assert snapshot(engine, 900)["window"]["first_stage_share"] == 0.6


def test_a_model_of_one_stage_has_no_share_of_a_first_one():
    engine = new_engine()
    engine.apply_batch(0, 0, summary(EPOCH + 890))
    assert snapshot(engine, 900)["window"]["first_stage_share"] is None


def test_a_snapshot_of_nothing_is_one():
    shown = snapshot(new_engine(), 900)
    assert shown["totals"]["reviews"] == 0
    assert shown["window"]["confidence"] is None


def test_alerts_of_a_drifting_stream_are_raised_and_logged():
    engine = watched_engine(15)
    assert {c.name for c in engine.changes} >= {"category-mix", "lag"}


def test_what_is_beyond_a_level_and_not_raised_yet_is_watched():
    engine = watched_engine(15, alert_hold_seconds=3600)
    (mix,) = [watched for watched in engine.watch.watched() if watched.name == "category-mix"]
    assert mix.value >= engine.settings.alert_mix_psi[0]
    assert 0 < mix.due_in < 3600
    shown = snapshot(engine, 900)["watched"]
    assert "category-mix" in [watched["name"] for watched in shown]


def test_what_is_raised_is_no_longer_only_watched():
    engine = watched_engine(15)
    raised = {alert.rule.name for alert in engine.watch.alerts if alert.active}
    assert "category-mix" in raised
    assert not raised & {watched.name for watched in engine.watch.watched()}


def test_a_calm_stream_is_not_watched():
    assert watched_engine(15, drifting=False).watch.watched() == []


def test_prometheus_sees_what_the_page_sees():
    engine = watched_engine(15)
    text = generate_latest(MonitorMetrics(engine).registry).decode()
    assert f"reviews_monitor_relabel_backlog {float(engine.backlog)}" in text
    assert 'reviews_monitor_alert_active{alert="category-mix",severity="warning"} 1.0' in text
    assert 'reviews_monitor_partition_lag{partition="3"}' in text


def test_metrics_of_nothing_can_be_scraped():
    assert b"reviews_monitor_relabel_backlog 0.0" in generate_latest(
        MonitorMetrics(new_engine()).registry
    )
