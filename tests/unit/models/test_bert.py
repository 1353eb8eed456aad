"""BERT whose top layers start afresh, or whose lowest ones stay as they are."""

import pytest
import torch

from training.encoders.checkpoints import CheckpointError
from training.encoders.encoder import Encoder, Shape, load_encoder, new_encoder
from training.encoders.vocabulary import learn_tokenizer
from training.fit.config import TrainConfig, Tricks
from training.models.bert import build_bert

pytestmark = pytest.mark.slow


@pytest.fixture
def base(tmp_path):
    """A saved checkpoint: what came from one is just what must not stay."""
    tokenizer = learn_tokenizer(["чайник хороший"], ("чайник",), (), 10)
    new_encoder(tokenizer, Shape(2, 16, 2, 32, 16)).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("part", ["attention.self.query", "output.dense"])
def test_top_layers_start_afresh_and_those_below_stay(base, part):
    before = load_encoder(base).model.state_dict()
    torch.manual_seed(1)
    config = TrainConfig(encoder=base, tricks=Tricks(reinit_layers=1))
    after = build_bert(load_encoder(base), config).encoder.state_dict()
    below, top = (f"encoder.layer.{number}.{part}.weight" for number in (0, 1))
    assert torch.equal(after[below], before[below])
    assert not torch.equal(after[top], before[top])
    assert float(after[top].std()) == pytest.approx(0.02, rel=0.3)


def test_frozen_layers_and_the_embeddings_stay_and_what_is_above_them_is_trained(base):
    encoder = load_encoder(base)
    encoder.freeze(1)
    trained = {name for name, weight in encoder.model.named_parameters() if weight.requires_grad}
    assert trained == {
        name for name, _ in encoder.model.named_parameters() if name.startswith("encoder.layer.1.")
    }


def test_more_frozen_layers_than_the_base_has_are_refused(base):
    with pytest.raises(CheckpointError, match="3 layers cannot be frozen: the base has 2"):
        load_encoder(base).freeze(3)


def test_a_base_without_layers_is_refused_when_some_are_to_be_frozen():
    with pytest.raises(CheckpointError, match="no list of layers"):
        Encoder(torch.nn.Linear(1, 1), None).freeze(1)
