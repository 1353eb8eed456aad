"""BERT whose top layers start afresh."""

import pytest
import torch

from training.encoders.encoder import Shape, load_encoder, new_encoder
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
