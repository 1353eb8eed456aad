"""Early stopping takes the best epoch, by rows that neither teach nor are scored."""

import numpy as np
import pytest
import torch
from torch import nn

from training.data.dataset import join, labelled
from training.errors import DataError
from training.fit.config import Tricks
from training.fit.stopping import BestEpoch, held_back, loss_of
from training.models.family import family
from training.train import fit_family

pytestmark = pytest.mark.slow


@pytest.fixture
def many(reviews):
    """324 texts of nine categories: one in ten of them is enough to tell by."""
    texts = [f"{text} {number}" for text in reviews.texts for number in range(6)]
    return labelled(texts, np.repeat(reviews.categories, 6), "person")


def test_a_tenth_of_the_trusted_rows_is_held_back_evenly_and_not_trained_on(many):
    guessed = labelled(["угадано"], [3], "pool")
    rest, part = held_back(join(many, guessed), 0)
    assert len(part) == pytest.approx(len(many) / 10, abs=5)
    assert np.bincount(part.categories, minlength=9).min() >= 3
    assert set(part.origin) == {"person"}
    assert not set(rest.normalized) & set(part.normalized)
    assert len(rest) + len(part) == len(many) + 1


def test_a_text_that_is_held_back_is_not_taught_by_its_twin(many):
    rest, part = held_back(join(many, many), 0)
    assert not set(rest.normalized) & set(part.normalized)


def test_too_few_rows_to_tell_by_are_refused(reviews):
    with pytest.raises(DataError, match="too few to tell by") as refused:
        held_back(reviews, 0)
    assert "leave early_stopping out" in refused.value.remedy


def test_an_epoch_is_not_blamed_for_being_surer_than_calibration_will_leave_it():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(200, 9)).astype(np.float32)
    truth = logits.argmax(axis=1)
    truth[:40] = (truth[:40] + 1) % 9
    assert loss_of(3 * logits, truth) == pytest.approx(loss_of(logits, truth), abs=1e-3)
    assert loss_of(-logits, truth) > loss_of(logits, truth)


def test_the_best_epoch_is_kept_and_too_many_without_a_gain_are_the_end():
    module = nn.Linear(1, 1, bias=False)
    best = BestEpoch(module, 2)
    for weight, loss, over in ((1.0, 0.9, False), (2.0, 0.5, False), (3.0, 0.6, False)):
        nn.init.constant_(module.weight, weight)
        best.see(module, loss)
        assert best.over is over
    best.see(module, 0.5)
    assert best.over
    assert float(best.best.weight) == 2.0


def test_a_training_that_gains_nothing_more_ends_with_its_best_weights(many, quick):
    rates = {"learning_rate": 0.05, "head_learning_rate": 0.5, "warmup": 0.0, "epochs": 12}
    tricks = Tricks(early_stopping=1)
    model = fit_family("bert", many, quick.model_copy(update=rates | {"tricks": tricks}))
    assert 2 <= len(model.losses) < 12


def test_an_interrupted_training_stops_where_it_would_have_stopped(many, quick, tmp_path):
    config = quick.model_copy(
        update={"epochs": 5, "tricks": Tricks(early_stopping=3, averaging=0.9)}
    )
    whole = family("lstm").fit(many, config, lambda *_: None)

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage.startswith("epoch 3"):
            raise KeyboardInterrupt

    kept = config.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(KeyboardInterrupt):
        family("lstm").fit(many, kept, interrupt)
    resumed = family("lstm").fit(many, kept, lambda *_: None)
    for one, other in zip(whole.module.parameters(), resumed.module.parameters(), strict=True):
        assert torch.equal(one, other)
    assert resumed.losses == whole.losses
