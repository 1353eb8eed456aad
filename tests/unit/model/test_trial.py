"""A model is tried in a process of its own: what it does there is told, and hurts nobody."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas import using
from stream.errors import ModelError
from stream.model.trial import Trial, _environment
from stream.settings import BUNDLED_MODEL, ModelSettings
from tests.support import hostile_models
from tests.support.taxonomies import bank
from tests.support.tiny_model import write_tiny_model

pytestmark = pytest.mark.slow

# Of a graph that never ends. Two busy cores start the child within 5 seconds.
SECONDS = 12.0


def limits(**changes):
    return ModelSettings(**({"trial_seconds": SECONDS, "trial_memory_mb": 600} | changes))


def test_a_good_model_passes(tmp_path):
    write_tiny_model(tmp_path)
    Trial(tmp_path, limits(trial_seconds=60)).run()


def test_a_model_is_tried_with_the_categories_of_whoever_tries_it(tmp_path):
    with using(bank(tmp_path / "taxonomy", 77)):
        write_tiny_model(tmp_path / "model")
        # What lies there now is another process's business.
        (tmp_path / "taxonomy" / "taxonomy.toml").unlink()
        Trial(tmp_path / "model", limits(trial_seconds=60)).run()
    with pytest.raises(ModelError, match="not those of the taxonomy 'marketplace'"):
        Trial(tmp_path / "model", limits(trial_seconds=60)).run()


def test_the_bundled_model_passes_within_the_memory_of_the_deployment(tmp_path):
    Trial(BUNDLED_MODEL, limits(trial_seconds=60, trial_memory_mb=512)).run()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (hostile_models.without_self_test, "no self-test"),
        (hostile_models.other_inputs, "ValueError"),
        (hostile_models.maps_for_logits, "TypeError"),
        (hostile_models.immense_padding, "OverflowError"),
        (hostile_models.deep_manifest, "cannot be read"),
        (hostile_models.manifest_of_another_shape, "cannot be read"),
        (hostile_models.memory_eater, "Alloc|alloc|600 MB were allowed"),
        (hostile_models.no_graph_at_all, "cannot be loaded"),
        (hostile_models.broken_tokenizer, "cannot be loaded"),
    ],
)
def test_whatever_a_folder_makes_libraries_raise_is_a_refusal_with_a_reason(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(ModelError, match=words):
        Trial(tmp_path, limits(trial_seconds=60)).run()


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """Return two trials that never end, run at the same time: for any text, and for long ones alone.

    Each comes with what it raised and with how long it took, in seconds.
    """

    def run(from_length):
        folder = tmp_path_factory.mktemp("endless")
        hostile_models.endless_loop(folder, from_length=from_length)
        trial, began = Trial(folder, limits()), time.monotonic()
        with pytest.raises(ModelError) as refused:
            trial.run()
        return trial, str(refused.value), time.monotonic() - began

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, (0, 50)))


def test_a_graph_that_never_ends_is_ended(endless):
    trial, said, seconds = endless[0]
    assert "within 12 seconds" in said
    assert seconds < SECONDS + 5
    assert trial._child.returncode is not None


def test_a_graph_that_never_ends_for_long_texts_alone_meets_one_in_the_warm_up(endless):
    _, said, _ = endless[1]
    assert "within 12 seconds" in said


def test_the_child_gets_no_secret_of_ours(monkeypatch):
    monkeypatch.setenv("REVIEWS_KAFKA__SASL_PASSWORD", "sekret")
    assert "sekret" not in _environment().values()
    assert _environment()["PATH"] == os.environ["PATH"]
