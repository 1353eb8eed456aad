"""The model of several trainings has the mean of their weights; all start alike, each with its own seed."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from training.fit.loop import fit_module
from training.fit.soup import take_mean
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


class _Tied(nn.Module):
    """One table under two names, a buffer, and a count, which has no mean."""

    def __init__(self, weight: float, count: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.full((2, 2), weight))
        self.again = self.table
        self.register_buffer("seen", torch.full((2,), 10 * weight))
        self.register_buffer("count", torch.tensor(count))


def test_a_weight_with_two_names_gets_the_mean_once_and_a_count_stays():
    modules = [_Tied(weight, count) for weight, count in ((0.0, 7), (3.0, 8), (6.0, 9))]
    take_mean(modules)
    assert modules[0].table.tolist() == modules[0].again.tolist() == [[3.0, 3.0]] * 2
    assert modules[0].seen.tolist() == [30.0, 30.0]
    assert modules[0].count.item() == 7


@pytest.mark.parametrize("many", [3, 7, 20])
def test_what_is_the_same_in_all_trainings_stays_as_it_is(many):
    torch.manual_seed(0)
    frozen = nn.Linear(64, 64)
    before = frozen.weight.detach().clone()
    take_mean([frozen, *(copy.deepcopy(frozen) for _ in range(many - 1))])
    assert torch.equal(frozen.weight, before)
