"""What the decision rule of a new model is fitted to."""

import numpy as np
import pytest

from stream.model.folder import PromisedPrecision
from training.data.dataset import join, labelled
from training.measures.calibration import NEVER, fit_temperature
from training.measures.held_out import HeldOut
from training.measures.rule import fit_rule, said_of_unknown


def held_out(of_the_stream: int, written: int) -> HeldOut:
    """Logits that are right nine times in ten on the stream, and every second time elsewhere."""
    rng = np.random.default_rng(0)
    count = of_the_stream + written
    truth = rng.integers(0, 9, count)
    right = rng.random(count) < np.where(np.arange(count) < of_the_stream, 0.9, 0.5)
    named = np.where(right, truth, (truth + 1) % 9)
    logits = np.zeros((count, 9), dtype=np.float32)
    logits[np.arange(count), named] = rng.uniform(2, 6, count)
    stream = labelled([f"отзыв {n}" for n in range(of_the_stream)], truth[:of_the_stream], "person")
    examples = labelled([f"пример {n}" for n in range(written)], truth[of_the_stream:], "written")
    return HeldOut(join(stream, examples), logits)


def test_written_examples_do_not_make_a_model_modest_about_the_stream():
    held = held_out(of_the_stream=400, written=400)
    stream = held.of_the_stream
    alone = fit_temperature(held.logits[stream], held.truth[stream])
    assert fit_rule(held, 0.98, 0.0).temperature == pytest.approx(alone, abs=1e-3)


def test_with_few_rows_of_the_stream_the_temperature_is_fitted_to_written_examples_as_well():
    held = held_out(of_the_stream=20, written=400)
    everything = fit_temperature(held.logits, held.truth)
    assert fit_rule(held, 0.98, 0.0).temperature == pytest.approx(everything, abs=1e-3)


def test_thresholds_are_decided_by_written_examples_too():
    held = held_out(of_the_stream=400, written=400)
    stream = held.of_the_stream
    rows = held.rows.take(np.flatnonzero(stream))
    alone = fit_rule(HeldOut(rows, held.logits[stream]), 0.9, 0.0)
    together = fit_rule(held, 0.9, 0.0)
    assert sum(together.thresholds) > sum(alone.thresholds)


def test_a_category_that_may_be_published_and_that_no_held_out_row_was_taken_for_is_named():
    known = PromisedPrecision(rows=40, published=38, right=38, lower=0.92)
    nothing = PromisedPrecision(rows=3, published=0, right=0, lower=0.0)
    promises = {"clothing": known, "kids": nothing, "footwear": nothing}
    thresholds = {"clothing": 0.5, "kids": 0.5, "footwear": NEVER}
    (sentence,) = said_of_unknown(thresholds, promises)
    assert "about kids:" in sentence
    assert said_of_unknown(thresholds, {"clothing": known, "footwear": nothing}) == []
    assert said_of_unknown(thresholds, {}) == []
