"""What learns how fast."""

import pytest

from training.encoders.encoder import load_encoder
from training.fit.config import Tricks
from training.fit.optimizer import parameter_groups
from training.models.builders import BUILDERS


def _rates(name, config):
    """Return the learning rate of each trainable parameter by name."""
    module = BUILDERS[name](load_encoder(config.encoder), config)
    by_id = {id(p): n for n, p in module.named_parameters()}
    return {
        by_id[id(parameter)]: group["lr"]
        for group in parameter_groups(module, config)
        for parameter in group["params"]
    }


def test_layers_near_the_input_learn_more_slowly(quick):
    rates = _rates("bert", quick.model_copy(update={"tricks": Tricks(layer_decay=0.5)}))
    top = rates["encoder.encoder.layer.1.output.dense.weight"]
    assert rates["encoder.encoder.layer.0.output.dense.weight"] == pytest.approx(top / 2)
    assert rates["head.weight"] == quick.head_learning_rate


def test_low_rank_updates_learn_faster_than_full_weights_in_every_layer(quick):
    rates = _rates("lora", quick.model_copy(update={"tricks": Tricks(layer_decay=0.5)}))
    low_rank = {rate for name, rate in rates.items() if "lora_" in name}
    assert low_rank == {5 * quick.learning_rate}


def test_a_frozen_encoder_learns_nothing(quick):
    assert not [name for name in _rates("mlp", quick) if name.startswith("encoder")]
