"""A base checkpoint that is made in milliseconds, and reviews that it can learn."""

import numpy as np
import pytest
import torch

from stream.text import normalize
from training.data.dataset import Dataset, labelled
from training.encoders.encoder import Shape, new_encoder
from training.encoders.vocabulary import learn_tokenizer
from training.fit.config import TrainConfig

WORDS = (
    "чайник",
    "сапоги",
    "платье",
    "кастрюля",
    "простыня",
    "игрушка",
    "серьги",
    "наушники",
    "доставка",
)
ENDS = ("хороший товар", "плохо", "нормально", "не понравилось совсем", "супер", "так себе")


@pytest.fixture(scope="session")
def reviews() -> Dataset:
    texts = [f"{word} {end}" for word in WORDS for end in ENDS]
    return labelled(texts, np.repeat(np.arange(9), len(ENDS)), "person")


@pytest.fixture(scope="session")
def tiny_encoder(reviews, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    tokenizer = learn_tokenizer([normalize(text) for text in reviews.texts], WORDS, (), 60)
    new_encoder(tokenizer, Shape(2, 32, 2, 64, 32)).save(folder)
    return folder


@pytest.fixture(scope="session")
def by_heart(tiny_encoder) -> TrainConfig:
    """A training that learns the words by heart."""
    return TrainConfig(
        encoder=tiny_encoder,
        epochs=8,
        batch_size=9,
        learning_rate=3e-3,
        head_learning_rate=1e-2,
        max_length=16,
        folds=2,
        dropout=0.0,
        threads=1,
        device="cpu",
    )


@pytest.fixture
def quick(by_heart) -> TrainConfig:
    """The same in a second, for every family."""
    return by_heart.model_copy(update={"epochs": 6, "hidden": 8})
