"""An interrupted training ends with the weights that it would have ended with."""

import numpy as np
import pytest

from training.pretraining.encoder import load_encoder
from training.pretraining.mlm import PretrainConfig, pretrain
from training.train import fit_family


class Interrupted(Exception):
    """Ctrl-C, as far as the loop can tell."""


def _stop_in_epoch(number):
    def progress(stage, _done, _total):
        if stage.startswith(f"epoch {number}"):
            raise Interrupted

    return progress


@pytest.mark.parametrize("name", ["bert", "lstm"])
def test_a_resumed_training_is_the_uninterrupted_one(name, reviews, quick, tmp_path):
    whole = fit_family(name, reviews, quick).logits(reviews.normalized)
    config = quick.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Interrupted):
        fit_family(name, reviews, config, _stop_in_epoch(4))
    resumed = fit_family(name, reviews, config).logits(reviews.normalized)
    np.testing.assert_allclose(resumed, whole, atol=1e-5)


def test_a_training_on_other_data_does_not_take_up_the_former(reviews, quick, tmp_path):
    config = quick.model_copy(update={"checkpoints": tmp_path})
    fit_family("lstm", reviews, config)
    fewer = reviews.take(np.arange(0, len(reviews), 2))
    fresh = fit_family("lstm", fewer, quick).logits(["чайник"])
    np.testing.assert_allclose(fit_family("lstm", fewer, config).logits(["чайник"]), fresh)


def test_resumed_pretraining_has_the_losses_of_the_uninterrupted(reviews, tiny_encoder, tmp_path):
    texts = reviews.normalized
    config = PretrainConfig(epochs=3, batch_size=16, max_length=16, device="cpu")
    whole = pretrain(load_encoder(tiny_encoder), texts, config)
    config = config.model_copy(update={"checkpoints": tmp_path})
    with pytest.raises(Interrupted):
        pretrain(load_encoder(tiny_encoder), texts, config, _stop_in_epoch(3))
    resumed = pretrain(load_encoder(tiny_encoder), texts, config)
    np.testing.assert_allclose(resumed, whole, rtol=1e-4)
