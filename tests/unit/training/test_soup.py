"""The model of several trainings has the mean of their weights; all start alike, each with its own seed."""

import numpy as np
import pytest

from training.fit.loop import fit_module
from training.models.bert import build_bert
from training.train import fit_family

pytestmark = pytest.mark.slow


@pytest.fixture
def soup(quick):
    return quick.model_copy(update={"tricks": quick.tricks.model_copy(update={"soup": 2})})


@pytest.fixture
def fitted(reviews, soup):
    """What each training started with, their modules, and the model of both."""
    modules, starts = [], []

    def build(encoder, config):
        module = build_bert(encoder, config)
        modules.append(module)
        starts.append(weights(module))
        return module

    model = fit_module(
        build, reviews, soup, lambda *_: None, lambda *_: np.zeros(len(reviews), bool)
    )
    return starts, modules, model


def weights(module):
    return [p.detach().numpy().copy() for p in module.parameters()]


def test_all_of_its_trainings_start_alike(fitted):
    (first, other), _, _ = fitted
    assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_its_weights_are_the_mean_of_those_of_its_trainings(fitted, reviews, quick):
    _, (_, other), model = fitted
    alone = weights(fit_family("bert", reviews, quick).module)
    pairs = zip(alone, weights(other), weights(model.module), strict=True)
    assert all(np.allclose((a + b) / 2, mean, atol=1e-5) for a, b, mean in pairs)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(alone, weights(other), strict=True))


def test_each_of_its_trainings_is_taken_up_whole(reviews, soup, tmp_path):
    config = soup.model_copy(update={"checkpoints": tmp_path})
    before = fit_family("bert", reviews, config).logits(reviews.normalized)
    steps: list[int] = []
    again = fit_family("bert", reviews, config, lambda _stage, done, _total: steps.append(done))
    assert steps == []
    np.testing.assert_array_equal(again.logits(reviews.normalized), before)
