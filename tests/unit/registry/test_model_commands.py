"""`reviews model` in a terminal: verdicts and figures are seen, and a refusal is not overlooked."""

import json

import pytest

from stream.model.folder import write_manifest
from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.tiny_model import write_tiny_model
from training.registry.store import Registry

pytestmark = pytest.mark.slow

FIGURES = {"weighted_f1": 0.9744, "published_precision": 0.9886, "published_coverage": 0.9179}


@pytest.fixture
def registry(tmp_path):
    """Hold a champion, 1, and a version that the gate refused, 2."""
    store = Registry(tmp_path / "registry", user="anna")
    for strength in (6.0, 5.0):
        manifest = write_tiny_model(tmp_path / "made", sure_logit=strength)
        write_manifest(tmp_path / "made", manifest.model_copy(update={"metrics": FIGURES}))
        store.add(tmp_path / "made")
    store.approve(1, why="better")
    store.promote(1)
    store.refuse(2, why="worse on shoes")
    return store


def run(registry, *arguments):
    return reviews("model", *arguments, "--registry", str(registry.folder))


def test_promoting_what_the_gate_refused_needs_a_reason(registry):
    refused = run(registry, "promote", "2", "--no-announce")
    assert_one_clear_line(refused, 1, "worse on shoes", "--despite-gate")
    done = run(registry, "promote", "2", "--no-announce", "--despite-gate", "no shoes are sold")
    assert done.returncode == 0, done.stderr
    assert "despite the gate: no shoes are sold" in run(registry, "show", "2").stdout
    assert "no shoes are sold" in run(registry, "list").stdout


def test_the_list_keeps_verdicts_and_shows_the_main_figures(registry):
    run(registry, "promote", "2", "--no-announce", "--despite-gate", "no shoes are sold")
    listed = run(registry, "list").stdout
    head, first, second = listed.splitlines()
    assert all(word in head for word in ("F1", "precision", "published", "gate"))
    assert "passed" in first
    assert "refused" in second
    assert "champion" in second
    for line in (first, second):
        assert all(figure in line for figure in ("0.974", "0.989", "0.918"))


def test_a_rollback_says_from_what_to_what(registry):
    run(registry, "promote", "2", "--no-announce", "--despite-gate", "no shoes are sold")
    done = run(registry, "rollback", "--no-announce")
    versions = {r.number: r.version for r in registry.state().versions}
    said = f"rolled back from version 2 ({versions[2]}) to version 1 ({versions[1]})"
    assert said in " ".join(done.stderr.split())
    as_json = run(registry, "list", "--json")
    assert json.loads(as_json.stdout)["champion"] == 1
